"""Facts about a host that somebody wants to be so, made so and put back as they were.

A fact (`fact.py`) is an address, a kernel parameter, a table of rules, a file: it can say how it
is now, the commands that make it so, and those that put back what was there before. A *holder*
is whoever wants facts, say `realserver 10.0.0.100`; several may hold the same fact, and it is put
back when the last one lets go.

The ledger (`ledger.py`) is the record of who holds what, and of how each fact was before anybody
did. `keeping.py` starts and stops holders. It writes down what was before it changes anything,
so whatever dies in between can be undone or done again: a fact that is still as it was before
needs no undoing, and one that is already so needs no making.
"""
