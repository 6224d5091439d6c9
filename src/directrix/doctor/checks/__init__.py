"""The checks, one a file: each looks at one thing on the host or on the wire and gives findings."""
