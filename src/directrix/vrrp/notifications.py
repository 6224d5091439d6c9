"""Telling others: notify scripts and named pipes, with keepalived's arguments and in its order.

On each change the script of the new state is started, then the one of all changes (`notify`), then the pipes are told;
of an instance before its group. Nothing waits: scripts run beside each other, and a pipe nobody reads loses lines.
"""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
import stat
from collections.abc import Iterable
from contextlib import suppress

from directrix.system import scripts
from directrix.vrrp.effects import Effect, GroupChanged, PriorityChanged, StateChanged, WeakerHeard
from directrix.vrrp.states import State
from directrix.vrrp.values import Command, Fifo, Notify

_log = logging.getLogger("directrix.vrrp")

LONGEST = 600.0
"""Seconds after which a notify script is ended."""
_MOST = 100
"""So many scripts may run at a time."""

_WORDS = {State.INITIALIZE: "STOP", State.BACKUP: "BACKUP", State.MASTER: "MASTER", State.FAULT: "FAULT"}


def user_of(command: Command) -> scripts.User | None:
    """As whom a command runs; None for our own user.

    Raises:
        LookupError: there is no such user or group.
    """
    if not command.user:
        return None
    try:
        entry = pwd.getpwuid(int(command.user)) if command.user.isdigit() else pwd.getpwnam(command.user)
    except KeyError:
        raise LookupError(f"no user {command.user}") from None
    gid = _gid_of(command.group) if command.group else entry.pw_gid
    return scripts.User(entry.pw_uid, gid, tuple(os.getgrouplist(entry.pw_name, gid)))


def _gid_of(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise LookupError(f"no group {name}") from None


def commands(effect: Effect) -> list[Command]:
    """What is to be run for an effect, in order."""
    match effect:
        case StateChanged(instance, _, priority):
            word = word_of(effect)
            return _commands(instance.notify, word, ("INSTANCE", instance.name, word, str(priority)))
        case GroupChanged(group, state):
            return _commands(group.notify, _WORDS[state], ("GROUP", group.name, _WORDS[state], "0"))
        case WeakerHeard(instance):
            command = instance.notify.master_rx_lower_pri
            return [command] if command is not None else []
    return []


def word_of(change: StateChanged) -> str:
    """The state that scripts and pipes are told of. What a reload took away is in FAULT, or DELETED if asked for."""
    if change.deleted and change.state is State.INITIALIZE:
        return "DELETED" if change.instance.notify.deleted_state else "FAULT"
    return _WORDS[change.state]


def _commands(notify: Notify, word: str, arguments: tuple[str, ...]) -> list[Command]:
    specific = {
        "MASTER": notify.master,
        "BACKUP": notify.backup,
        "FAULT": notify.fault,
        "STOP": notify.stop,
        "DELETED": notify.deleted,
    }[word]
    found = [specific] if specific is not None else []
    if notify.any is not None:
        found.append(Command((*notify.any.words, *arguments), notify.any.user, notify.any.group))
    return found


def line(effect: Effect) -> str | None:
    """What pipes are told of an effect."""
    match effect:
        case StateChanged(instance, _, priority):
            return f'INSTANCE "{instance.name}" {word_of(effect)} {priority}\n'
        case GroupChanged(group, state):
            return f'GROUP "{group.name}" {_WORDS[state]} 0\n'
        case WeakerHeard(instance, priority):
            return f'INSTANCE "{instance.name}" MASTER_RX_LOWER_PRI {priority}\n'
        case PriorityChanged(instance, state, priority):
            return f'INSTANCE "{instance.name}" {_WORDS[state]}_PRIORITY {priority}\n'
    return None


class Pipe:
    """A named pipe that is told of changes. It is made if it isn't there, and then removed at the end."""

    def __init__(self, fifo: Fifo) -> None:
        """Open it.

        Raises:
            OSError: it can't be made, or something else has its place.
            LookupError: there is no such user or group.
        """
        self.fifo = fifo
        self.lost = 0
        self._made = False
        with suppress(FileExistsError):
            os.mkfifo(fifo.path, 0o600)
            self._made = True
        if not stat.S_ISFIFO(os.stat(fifo.path).st_mode):
            raise FileExistsError(17, "is there already and is no named pipe", fifo.path)
        if self._made and (user := user_of(Command(("",), fifo.user, fifo.group))) is not None:
            os.chown(fifo.path, user.uid, user.gid)
        # Open for reading as well: then it stays open, and lines wait, while nobody reads.
        self._descriptor = os.open(fifo.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def write(self, text: str) -> None:
        """Tell; what finds no room is lost."""
        try:
            os.write(self._descriptor, text.encode(errors="surrogateescape"))
            self.lost = 0
        except BlockingIOError:
            if not self.lost:
                _log.warning("%s is full: nobody reads it; lines are lost", self.fifo.path)
            self.lost += 1

    def close(self) -> None:
        """Close it, and remove it if it was made here."""
        os.close(self._descriptor)
        if self._made:
            with suppress(OSError):
                os.unlink(self.fifo.path)


class Notifier:
    """Runs what is to be run, and tells the pipes."""

    def __init__(self) -> None:
        self._pipes: list[Pipe] = []
        self._readers: dict[Pipe, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def configure(self, fifos: Iterable[Fifo]) -> None:
        """Have these pipes. Those that stay the same stay open, and their readers run on."""
        wanted = list(fifos)
        for pipe in [pipe for pipe in self._pipes if pipe.fifo not in wanted]:
            self._end(pipe)
        there = [pipe.fifo for pipe in self._pipes]
        for fifo in wanted:
            if fifo in there:
                continue
            try:
                pipe = Pipe(fifo)
            except (OSError, LookupError) as error:
                _log.error("notify_fifo %s: %s", fifo.path, getattr(error, "strerror", None) or error)
                continue
            self._pipes.append(pipe)
            if fifo.reader is not None:
                reader = Command((*fifo.reader.words, fifo.path), fifo.reader.user, fifo.reader.group)
                self._readers[pipe] = asyncio.create_task(_run(reader, float("inf")))

    def tell(self, effect: Effect) -> None:
        """Start scripts and tell pipes of an effect, if it is one to be told of."""
        for command in commands(effect):
            if len(self._running) >= _MOST:
                _log.error("%s is not run: %d notify scripts run already", command.words[0], len(self._running))
                continue
            task = asyncio.create_task(_run(command, LONGEST))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        self.repeat(effect)

    def repeat(self, effect: Effect) -> None:
        """Tell the pipes alone."""
        text = line(effect)
        if text is not None:
            for pipe in self._pipes:
                pipe.write(text)

    async def close(self, patience: float = 1.0) -> None:
        """Give running scripts so many seconds; then end them and the pipes' readers."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        readers = list(self._readers.values())
        for pipe in list(self._pipes):
            self._end(pipe)
        await asyncio.gather(*readers, return_exceptions=True)

    def _end(self, pipe: Pipe) -> None:
        self._pipes.remove(pipe)
        reader = self._readers.pop(pipe, None)
        if reader is not None:
            reader.cancel()
        pipe.close()


async def _run(command: Command, longest: float) -> None:
    try:
        ending = await scripts.run(command.words, longest, user=user_of(command))
    except (OSError, LookupError) as error:
        _log.error("%s can't be run: %s", command.words[0], getattr(error, "strerror", None) or error)
        return
    if ending.timed_out:
        _log.warning("%s took more than %g s and was ended", command.words[0], longest)
    elif ending.status:
        _log.info("%s ended with status %d", command.words[0], ending.status)
