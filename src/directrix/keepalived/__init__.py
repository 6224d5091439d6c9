"""The keepalived.conf language: from files to values, or to a list of everything that is wrong, and back to text."""
