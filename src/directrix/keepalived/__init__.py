"""The keepalived.conf language: from files to values, or to a list of everything that is wrong, and back to text.

How a file is read, module by module: `files` gives the bytes, `expanding` the lines that are left when
comments, conditions, parameters, repetitions and includes are worked out, `lines` cuts them into words,
`blocks` makes statements of them, `reading` follows the tables of `schema` and makes fields of those, and
`building` makes `values` of the fields. Every word knows its place all the way, for `faults`. `writing`
goes back, by the same tables and the same defaults (`inheritance`).
"""

from directrix.keepalived.blocks import Statement
from directrix.keepalived.faults import Fault, FaultyConfiguration, Place, Severity
from directrix.keepalived.loading import USUAL_PATH, Loaded, load, load_from, loads, statements
from directrix.keepalived.writing import written

__all__ = [
    "USUAL_PATH",
    "Fault",
    "FaultyConfiguration",
    "Loaded",
    "Place",
    "Severity",
    "Statement",
    "load",
    "load_from",
    "loads",
    "statements",
    "written",
]
