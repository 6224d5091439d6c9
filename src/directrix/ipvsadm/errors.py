"""How a command line ends when it is not carried out."""

from __future__ import annotations

import errno
import os

from directrix.ipvsadm.vocabulary import Command
from directrix.lvs.errors import NotSupportedYet, TableError

USAGE_STATUS = 2
LISTING_STATUS = 1
REFUSED_STATUS = 255


class Refusal(Exception):
    """A command line that ends the whole run: these lines on stderr, this exit status.

    `word` is the word of the line that is at fault, where it is one.
    """

    def __init__(self, message: str, status: int = USAGE_STATUS, word: str | None = None) -> None:
        self.message = message
        self.status = status
        self.word = word
        super().__init__(message)


class OptionError(Refusal):
    """popt could not cut the words into options; a restore goes on after it."""

    def __init__(self, word: str, problem: str) -> None:
        super().__init__(f"{word}: {problem}", REFUSED_STATUS, word)


TRY_HELP = Refusal("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", REFUSED_STATUS)
"""The first word is no command."""

_SERVER_COMMANDS = frozenset({Command.ADD_SERVER, Command.EDIT_SERVER, Command.DELETE_SERVER})

_WORDS = {
    errno.EPERM: "Permission denied (you must be root)",
    errno.EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    errno.ENOPROTOOPT: "Protocol not available",
    errno.ENOMEM: "Memory allocation problem",
    errno.EOPNOTSUPP: "Operation not supported with IPv6",
    errno.EAFNOSUPPORT: "Operation not supported with specified address family",
    errno.EMSGSIZE: "Module is wrong version",
}
_SERVICE_WORDS = {
    errno.EEXIST: "Service already exists",
    errno.ENOENT: "Scheduler or persistence engine not found",
    errno.ESRCH: "No such service",
}
_SERVER_WORDS = {
    errno.EEXIST: "Destination already exists",
    errno.ENOENT: "No such destination",
    errno.ESRCH: "Service not defined",
}


_DAEMON_COMMANDS = frozenset({Command.START_DAEMON, Command.STOP_DAEMON})
_DAEMON_WORDS = {
    errno.EEXIST: "Daemon has already run",
    errno.ESRCH: "No daemon is running",
}


def words_for(error: TableError, command: Command) -> str:
    """What ipvsadm says when a table answers a command with this error."""
    if isinstance(error, NotSupportedYet):
        return error.reason
    by_command = _SERVICE_WORDS
    if command in _SERVER_COMMANDS:
        by_command = _SERVER_WORDS
    elif command in _DAEMON_COMMANDS:
        by_command = _DAEMON_WORDS
    return by_command.get(error.errno) or _WORDS.get(error.errno) or os.strerror(error.errno)
