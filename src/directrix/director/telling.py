"""Telling others of real servers and quorums: scripts and named pipes, with keepalived's arguments.

Nothing waits: scripts run beside each other, bounded in time and number, and a pipe nobody reads loses lines. The lines
are keepalived's: `RS [10.0.0.1]:tcp:80 [192.0.2.1]:tcp:80 UP`, `VS [192.0.2.1]:tcp:80 DOWN`.
"""

from __future__ import annotations

import asyncio
import logging

from directrix.checks.actions import TellQuorum, TellServer
from directrix.director.programs import command, fifo
from directrix.director.told import Told
from directrix.director.virtual import Virtual
from directrix.keepalived.values import GlobalDefinitions, Script
from directrix.lvs import Address
from directrix.system import scripts
from directrix.vrrp.notifications import LONGEST, Pipe, user_of
from directrix.vrrp.values import Command
from directrix.vrrp.values import Fifo as Named

_log = logging.getLogger("directrix.director")

_MOST = 100
"""So many scripts may run at a time."""


class Teller:
    """Runs notify scripts of virtual and real servers, and writes to the pipes."""

    def __init__(self) -> None:
        self._settings = GlobalDefinitions()
        self._pipes: list[Pipe] = []
        self._readers: dict[Pipe, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def configure(self, settings: GlobalDefinitions) -> None:
        """Go on by these settings. Pipes that stay the same stay open, and their readers run on."""
        self._settings = settings
        wanted: list[Named] = []
        if settings.notify_fifo is not None:
            # VRRP has it, too, and starts its reader: one is enough.
            shared = fifo(settings.notify_fifo, settings)
            wanted.append(Named(shared.path, shared.user, shared.group))
        if settings.lvs_notify_fifo is not None:
            wanted.append(fifo(settings.lvs_notify_fifo, settings))
        for pipe in [pipe for pipe in self._pipes if pipe.fifo not in wanted]:
            self._end(pipe)
        there = [pipe.fifo for pipe in self._pipes]
        for named in wanted:
            if named not in there:
                self._open(named)

    def tell(self, told: Told, *, silently: bool = False) -> None:
        """Run what is to be run and write what is to be written; `silently`: pipes alone are told."""
        virtual, action = told.virtual, told.action
        if not silently and (script := script_of(virtual, action)) is not None:
            self.run(command(script, self._settings))
        text = line(virtual, action)
        for pipe in self._pipes:
            pipe.write(text)

    def run(self, wanted: Command) -> None:
        """Run a command, and don't wait for it."""
        if len(self._running) >= _MOST:
            _log.error("%s is not run: %d notify scripts run already", wanted.words[0], len(self._running))
            return
        task = asyncio.create_task(run_command(wanted, LONGEST))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self, patience: float = 1.0) -> None:
        """Give running scripts so many seconds; then end them and the pipes' readers."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        for task in self._running:
            task.cancel()
        readers = list(self._readers.values())
        for pipe in list(self._pipes):
            self._end(pipe)
        await asyncio.gather(*self._running, *readers, return_exceptions=True)

    def _open(self, named: Named) -> None:
        try:
            pipe = Pipe(named)
        except (OSError, LookupError) as error:
            _log.error("notify_fifo %s: %s", named.path, getattr(error, "strerror", None) or error)
            return
        self._pipes.append(pipe)
        if named.reader is not None:
            reader = Command((*named.reader.words, named.path), named.reader.user, named.reader.group)
            self._readers[pipe] = asyncio.create_task(run_command(reader, float("inf")))

    def _end(self, pipe: Pipe) -> None:
        self._pipes.remove(pipe)
        reader = self._readers.pop(pipe, None)
        if reader is not None:
            reader.cancel()
        pipe.close()


def script_of(virtual: Virtual, action: TellServer | TellQuorum) -> Script | None:
    """What is to be run."""
    if isinstance(action, TellQuorum):
        return virtual.settings.quorum_up if action.up else virtual.settings.quorum_down
    server = virtual.real_servers[action.server]
    return server.notify_up if action.up else server.notify_down


def line(virtual: Virtual, action: TellServer | TellQuorum) -> str:
    """What pipes are told."""
    word = "UP" if action.up else "DOWN"
    if isinstance(action, TellQuorum):
        return f"VS {shown(virtual)} {word}\n"
    address, port = action.server
    return f"RS {_shown_at(virtual, address, port)} {shown(virtual)} {word}\n"


def shown(virtual: Virtual) -> str:
    """A virtual server as keepalived writes it."""
    settings = virtual.settings
    if settings.group:
        return f"[{settings.group}]:{settings.protocol.name.lower()}"
    if settings.fwmark or settings.address is None:
        return f"FWM {settings.fwmark}"
    return _shown_at(virtual, settings.address, settings.port)


def _shown_at(virtual: Virtual, address: Address, port: int) -> str:
    return f"[{address}]:{virtual.settings.protocol.name.lower()}:{port}"


async def run_command(wanted: Command, longest: float) -> None:
    """Run a command to its end, for so many seconds at most; what goes wrong is told in the log."""
    try:
        ending = await scripts.run(wanted.words, longest, user=user_of(wanted))
    except (OSError, LookupError) as error:
        _log.error("%s can't be run: %s", wanted.words[0], getattr(error, "strerror", None) or error)
        return
    if ending.timed_out:
        _log.warning("%s took more than %g s and was ended", wanted.words[0], longest)
    elif ending.status:
        _log.info("%s ended with status %d", wanted.words[0], ending.status)
