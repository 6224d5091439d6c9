"""The ipvsadm language: what ipvsadm 1.31 understands and prints, over any Table.

`popt` cuts words into options, `parser` gives them meaning and refuses what is illegal
(`legality`), `command` carries a request out. `listing`, `connections`, `saving` and `as_json`
write what a table holds; `restore` reads what `saving` wrote.
"""
