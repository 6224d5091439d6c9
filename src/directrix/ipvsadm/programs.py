"""The programs that come with ipvsadm: itself, and two scripts that save and restore a table.

`ipvsadm-save` and `ipvsadm-restore` take, print and answer what Debian's scripts of these names do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TextIO

from directrix.ipvsadm.command import OpenTable, main
from directrix.ipvsadm.restore import PROGRAM

SAVE_MISUSE_STATUS: Final = 1


def ipvsadm(
    name: str, words: Sequence[str], open_table: OpenTable, stdin: Iterable[str], stdout: TextIO, stderr: TextIO
) -> int:
    """Carry out a command line; returns the exit status.

    Raises:
        TableUnavailable: the table can't be reached.
    """
    return main(words, open_table, stdin, stdout, stderr)


def ipvsadm_save(
    name: str, words: Sequence[str], open_table: OpenTable, stdin: Iterable[str], stdout: TextIO, stderr: TextIO
) -> int:
    """Print the table as lines to be restored, with `-n` in numbers; returns the exit status.

    Other words are passed over, other options answered with help for the program's `name`.

    Raises:
        TableUnavailable: the table can't be reached.
    """
    if any(word.startswith("-") and word != "-n" for word in words):
        stderr.write(f"{name}: Script to save the IPVS table to stdout.\n")
        stderr.write("   With the -n option, prints out the table in numeric format.\n")
        return SAVE_MISUSE_STATUS
    return main(["-S", "-n"] if "-n" in words else ["-S"], open_table, stdin, stdout, stderr)


def ipvsadm_restore(
    name: str, words: Sequence[str], open_table: OpenTable, stdin: Iterable[str], stdout: TextIO, stderr: TextIO
) -> int:
    """Clear the table and restore the lines of `stdin`, without those that begin with `#`; returns the exit status.

    All words are passed over. Nothing happens before the last line has been read. A refusal to clear the table
    is told and does not end it.

    Raises:
        TableUnavailable: the table can't be reached.
    """
    kept = "".join(line for line in stdin if not line.startswith("#")).rstrip("\n")
    main(["-C"], open_table, (), stdout, stderr)
    return main(["-R"], open_table, [f"{line}\n" for line in kept.split("\n")], stdout, stderr)


Program = Callable[[str, Sequence[str], OpenTable, Iterable[str], TextIO, TextIO], int]

PROGRAMS: Final[dict[str, Program]] = {
    PROGRAM: ipvsadm,
    f"{PROGRAM}-save": ipvsadm_save,
    f"{PROGRAM}-restore": ipvsadm_restore,
}
"""Each by its name; called with the name it was started by, its words, the way to the table, and the streams."""
