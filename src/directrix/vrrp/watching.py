"""Following tracked scripts, processes and files. What is found is told by a call; nobody is asked twice.

Scripts run by their intervals, each in its own task. Files are watched by inotify. Processes are followed by the
kernel's process events; where there are none (another network namespace than the first), /proc is read each second.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from directrix.system import scripts
from directrix.system.inotify import DirectoryWatch
from directrix.system.process_events import ProcessEvents, What
from directrix.vrrp.notifications import user_of
from directrix.vrrp.tracked import File, ParameterMatch, Process, Script
from directrix.vrrp.tracking import has_quorum, number_in

_log = logging.getLogger("directrix.vrrp")

_SCAN = 1.0
"""Seconds between two looks into /proc, where the kernel doesn't tell."""
_LONGEST_NUMBER = 64
_AGAIN = 5.0
"""Seconds until a directory that isn't there is looked for again."""


class ScriptWatch:
    """Runs one script again and again; tells each result."""

    def __init__(self, script: Script, tell: Callable[[str, bool], None]) -> None:
        self.script = script
        self.said = ""
        """What the last run came to, in words."""
        self.running = False
        self._tell = tell
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Run it no more; one that is running is killed."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        script = self.script
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self.running = True
            succeeded, said = await self._run()
            self.running = False
            if said != self.said:
                _log.info("script %s now %s", script.name, said)
                self.said = said
            self._tell(script.name, succeeded)
            # One that takes longer than its interval is begun at the next full interval, never twice at a time.
            late = (loop.time() - started) // script.interval
            await asyncio.sleep(started + (late + 1) * script.interval - loop.time())

    async def _run(self) -> tuple[bool, str]:
        script = self.script
        timeout = script.interval if script.timeout is None else script.timeout
        try:
            ending = await scripts.run(script.command.words, timeout, user=user_of(script.command))
        except (OSError, LookupError) as error:
            return False, f"can't be run: {getattr(error, 'strerror', None) or error}"
        if ending.timed_out:
            return False, f"takes longer than {timeout:g} s"
        return ending.status == 0, f"ends with status {ending.status}"


class FileWatch:
    """Follows one file; tells its number."""

    def __init__(self, file: File, tell: Callable[[str, int], None]) -> None:
        self.file = file
        self._path = Path(file.path)
        self._tell = tell
        self._watch: DirectoryWatch | None = None
        self._again: asyncio.TimerHandle | None = None
        if file.initial is not None and (file.overwrite or not self._path.exists()):
            try:
                self._path.write_text(f"{file.initial}\n")
            except OSError as error:
                _log.error("track_file %s: can't write %s: %s", file.name, file.path, error.strerror)
        self._begin()

    def close(self) -> None:
        """Watch it no more."""
        self._end()
        if self._again is not None:
            self._again.cancel()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._watch = DirectoryWatch(self._path.parent)
        except OSError as error:
            if self._again is None:
                _log.warning("track_file %s: can't watch %s: %s", self.file.name, self._path.parent, error.strerror)
            self._again = loop.call_later(_AGAIN, self._begin)
        else:
            self._again = None
            loop.add_reader(self._watch, self._changed)
        self._look()

    def _end(self) -> None:
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            self._watch.close()
            self._watch = None

    def _changed(self) -> None:
        assert self._watch is not None
        names = [name for name, _ in self._watch.read()]
        if "" in names:  # the directory itself, or news were lost
            self._end()
            self._begin()
        elif self._path.name in names:
            self._look()

    def _look(self) -> None:
        text = ""
        with suppress(OSError), open(self._path, "rb") as opened:
            text = opened.read(_LONGEST_NUMBER).decode(errors="replace")
        self._tell(self.file.name, number_in(text))


class ProcessWatch:
    """Follows all tracked processes; tells of each whether enough of them run."""

    def __init__(self, processes: Iterable[Process], tell: Callable[[str, bool], None]) -> None:
        self._tell = tell
        self._running: dict[Process, set[int]] = {process: set() for process in processes}
        self._told: dict[str, bool] = {}
        self._pending: dict[str, asyncio.TimerHandle] = {}
        self._events: ProcessEvents | None = None
        self._timer: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        try:
            self._events = ProcessEvents()
            loop.add_reader(self._events, self._read)
        except OSError as error:
            _log.info("no process events (%s): /proc is read every %g s", error.strerror, _SCAN)
        self._scan()

    def close(self) -> None:
        """Follow them no more."""
        if self._events is not None:
            asyncio.get_running_loop().remove_reader(self._events)
            self._events.close()
        for handle in (*self._pending.values(), *([self._timer] if self._timer else [])):
            handle.cancel()

    def _scan(self) -> None:
        for running in self._running.values():
            running.clear()
        for name in os.listdir("/proc"):
            if name.isdigit():
                self._look(int(name))
        self._judge()
        if self._events is None:
            self._timer = asyncio.get_running_loop().call_later(_SCAN, self._scan)

    def _read(self) -> None:
        assert self._events is not None
        try:
            for event in self._events.read():
                for running in self._running.values():
                    running.discard(event.pid)
                if event.what is not What.ENDED:
                    self._look(event.pid)
        except OSError:
            self._scan()
        self._judge()

    def _look(self, pid: int) -> None:
        facts = _facts(pid)
        if facts is not None:
            for process, running in self._running.items():
                if matches(process, *facts):
                    running.add(pid)

    def _judge(self) -> None:
        loop = asyncio.get_running_loop()
        for process, running in self._running.items():
            well = has_quorum(process, len(running))
            pending = self._pending.get(process.name)
            if well == self._told.get(process.name):
                if pending is not None:
                    pending.cancel()
                    del self._pending[process.name]
                continue
            delay = process.start_delay if well else process.end_delay
            if not delay or process.name not in self._told:
                self._say(process.name, well)
            elif pending is None:
                self._pending[process.name] = loop.call_later(delay, self._say, process.name, well)

    def _say(self, name: str, well: bool) -> None:
        self._pending.pop(name, None)
        self._told[name] = well
        self._tell(name, well)


def matches(process: Process, comm: str, command_line: tuple[str, ...]) -> bool:
    """Whether a process is one of those looked for.

    Without parameters and `full_command` the kernel's name of it is compared, which has 15 bytes at most.
    """
    by_line = process.full_command or process.parameters is not None or "/" in process.program
    if not by_line:
        return comm == process.program[:15]
    if not command_line or command_line[0] != process.program:
        return False
    if process.parameters is None:
        return True
    wanted, given = process.parameters, command_line[1:]
    match process.match:
        case ParameterMatch.EXACT:
            return given == wanted
        case ParameterMatch.PARTIAL:
            return given[: len(wanted)] == wanted
        case ParameterMatch.INITIAL:
            last = len(wanted) - 1
            if last < 0:
                return not given
            return len(given) > last and given[:last] == wanted[:last] and given[last].startswith(wanted[last])


def _facts(pid: int) -> tuple[str, tuple[str, ...]] | None:
    """A process's name and command line; None for one that has ended, if only as a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="surrogateescape")
        line = Path(f"/proc/{pid}/cmdline").read_text(errors="surrogateescape")
    except OSError:
        return None
    head, _, rest = stat.rpartition(")")
    if rest[:3] in (" Z ", " X "):
        return None
    return head.partition("(")[2], tuple(line.removesuffix("\0").split("\0")) if line else ()
