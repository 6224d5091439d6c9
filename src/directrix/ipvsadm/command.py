"""Carrying out a command line over a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TextIO

from directrix.ipvsadm import connections, listing, saving, usage
from directrix.ipvsadm.errors import LISTING_STATUS, REFUSED_STATUS, TRY_HELP, OptionError, Refusal, words_for
from directrix.ipvsadm.names import Names
from directrix.ipvsadm.parser import parse
from directrix.ipvsadm.request import Request
from directrix.ipvsadm.restore import command_lines
from directrix.ipvsadm.vocabulary import Command
from directrix.ipvsadm.writing import EndpointWriter
from directrix.lvs import TableError
from directrix.table.interface import Table


class OpenTable(Protocol):
    """How a table is got: with `create`, it is loaded first if it is not there."""

    def __call__(self, *, create: bool) -> Table:
        """Open the table.

        Raises:
            TableUnavailable: it can't be reached.
        """


def main(
    words: Sequence[str],
    open_table: OpenTable,
    stdin: Iterable[str],
    stdout: TextIO,
    stderr: TextIO,
    names: Names | None = None,
) -> int:
    """Carry out one command line, without the program's name; returns the exit status.

    Status 0 is success, 1 a listing that failed, 2 misuse, 255 a refusal by the table or words
    that are no options, each with ipvsadm's message on `stderr`.

    Raises:
        TableUnavailable: the table can't be reached.
    """
    session = _Session(open_table, stdin, stdout, stderr, names or Names())
    try:
        return session.run(words)
    except _Finished:
        return 0
    except Refusal as refusal:
        stderr.write(f"{refusal.message}\n")
        return refusal.status
    finally:
        session.close()


class _Finished(Exception):
    """Help or version was printed, which ends a run even in the middle of a restore."""


class _Session:
    """One run of the program: the table is opened when first needed, and once."""

    def __init__(
        self, open_table: OpenTable, stdin: Iterable[str], stdout: TextIO, stderr: TextIO, names: Names
    ) -> None:
        self._open_table = open_table
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._names = names
        self._table: Table | None = None
        self._restoring = False

    def close(self) -> None:
        if self._table is not None:
            self._table.close()

    def run(self, words: Sequence[str]) -> int:
        """Carry out one line; a Refusal ends the whole run."""
        try:
            request = parse(words, self._names)
        except OptionError as error:
            self._stderr.write(f"{error.message}\n")
            return error.status
        perform = _SPECIAL.get(request.command)
        if perform is not None:
            return perform(self, request)
        if request.command in (Command.LIST, Command.SAVE):
            return self._show(request)
        return self._change(request)

    def _open(self, command: Command) -> Table:
        if self._table is None:
            self._table = self._open_table(create=self._restoring or command in _CREATING)
            if self._restoring:
                self._table.begin()
        return self._table

    def _change(self, request: Request) -> int:
        table = self._open(request.command)
        try:
            _CHANGES[request.command](table, request)
        except TableError as error:
            self._stderr.write(f"{words_for(error, request.command)}\n")
            return REFUSED_STATUS
        return 0

    def _show(self, request: Request) -> int:
        table = self._open(request.command)
        if self._restoring:
            # A table may hold changes back until they are committed, and what is shown must be in force.
            self._commit(table)
            table.begin()
        try:
            self._stdout.writelines(self._shown(table, request))
        except TableError as error:
            raise Refusal(words_for(error, request.command), LISTING_STATUS) from None
        return 0

    def _shown(self, table: Table, request: Request) -> Iterable[str]:
        endpoints = EndpointWriter(None if request.has("numeric") else self._names)
        if request.command is Command.SAVE:
            return (saving.save(table.services(), endpoints),)
        if request.has("json"):
            return (_as_json(table, request),)
        if request.has("connection"):
            return connections.list_connections(table.connections(), endpoints, request.has("persistent-conn"))
        if request.has("timeout"):
            timeouts = table.timeouts()
            return (f"Timeout (tcp tcpfin udp): {timeouts.tcp} {timeouts.tcp_fin} {timeouts.udp}\n",)
        if request.has("daemon"):
            from directrix.ipvsadm import daemons

            return [daemons.line(daemon) for daemon in table.daemons()]
        layout = listing.Layout(
            next((mode for mode in listing.Mode if mode.option and request.has(mode.option)), listing.Mode.PLAIN),
            endpoints,
            sort=not request.has("nosort"),
            exact=request.has("exact"),
        )
        if request.has("service-address"):
            return (listing.list_services((table.service(request.key()),), layout),)
        return (listing.list_table(table.services(), table.size, layout),)

    def restore(self, request: Request) -> int:
        """Carry out every line of stdin. What a table refuses is told and passed over, unless it is all or none."""
        if self._restoring:
            raise TRY_HELP
        self._restoring = True
        if request.has("atomic"):
            from directrix.ipvsadm import atomic

            atomic.restore(
                self._stdin, self._names, lambda create: self._open_table(create=create), _CHANGES, _CREATING
            )
            return 0
        status = 0
        committed = True
        # A table may be locked from begin to commit, and whoever writes to us may be slow: read first.
        lines = list(self._stdin)
        try:
            for words in command_lines(lines):
                status = self.run(words)
        finally:
            if self._table is not None:
                committed = self._commit(self._table)
        return status if committed else REFUSED_STATUS

    def _commit(self, table: Table) -> bool:
        try:
            table.commit()
        except TableError as error:
            self._stderr.write(f"{error.reason}\n")
            return False
        return True

    def print_help(self, request: Request) -> int:
        """Print the help; it ends a restore."""
        self._stdout.write(usage.USAGE)
        raise _Finished

    def print_version(self, request: Request) -> int:
        """Print the version; it ends a restore."""
        self._stdout.write(usage.VERSION)
        raise _Finished


def _as_json(table: Table, request: Request) -> str:
    from directrix.ipvsadm import as_json

    if request.has("connection"):
        return as_json.connections_as_json(table.connections())
    if request.has("timeout"):
        return as_json.timeouts_as_json(table.timeouts())
    if request.has("daemon"):
        return as_json.daemons_as_json(table.daemons())
    states = (table.service(request.key()),) if request.has("service-address") else table.services()
    return as_json.table_as_json(states, table.size, sort=not request.has("nosort"))


def _zero(table: Table, request: Request) -> None:
    table.zero(request.key() if request.has("service-address") else None)


def _delete_server(table: Table, request: Request) -> None:
    assert request.server_address is not None
    table.delete_server(request.key(), request.server_address, request.server_port)


def _stop_daemon(table: Table, request: Request) -> None:
    assert request.role is not None
    table.stop_daemon(request.role)


_CREATING: Final = frozenset({Command.ADD_SERVICE, Command.SET})
"""Commands that mean something where no table is loaded yet; all others find it empty."""

_CHANGES: Final[dict[Command, Callable[[Table, Request], None]]] = {
    Command.ADD_SERVICE: lambda table, request: table.add_service(request.service()),
    Command.EDIT_SERVICE: lambda table, request: table.edit_service(request.service()),
    Command.DELETE_SERVICE: lambda table, request: table.delete_service(request.key()),
    Command.FLUSH: lambda table, request: table.flush(),
    Command.ZERO: _zero,
    Command.ADD_SERVER: lambda table, request: table.add_server(request.key(), request.server()),
    Command.EDIT_SERVER: lambda table, request: table.edit_server(request.key(), request.server()),
    Command.DELETE_SERVER: _delete_server,
    Command.SET: lambda table, request: table.set_timeouts(request.timeouts),
    Command.START_DAEMON: lambda table, request: table.start_daemon(request.daemon()),
    Command.STOP_DAEMON: _stop_daemon,
}

_SPECIAL: Final[dict[Command, Callable[[_Session, Request], int]]] = {
    Command.RESTORE: _Session.restore,
    Command.HELP: _Session.print_help,
    Command.VERSION: _Session.print_version,
}
