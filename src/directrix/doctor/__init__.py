"""What is wrong with a cluster, and the command that mends it.

`case.py` holds what is known before a check looks: which host this is, which virtual services it
is about, what the host and the wire say. Each file in `checks/` looks at one thing and gives
findings; `registry.py` has them in the order in which they are done. `examining.py` does them,
`mending.py` runs the commands that are safe. `trying.py` is the other way of looking: as a client.
"""
