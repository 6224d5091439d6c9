"""Two machines on one wire, as network namespaces: one with keepalived, one with our routers; and who holds what."""

from __future__ import annotations

import base64
import itertools
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from directrix.system import namespaces, sysctl
from directrix.system.commands import ip
from directrix.system.interfaces import Address, Events, InterfaceAddress, Line
from directrix.vrrp.configuration import Configuration

_numbers = itertools.count()
PROCESS = Path(__file__).with_name("router_process.py")


def until(what: str, condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Wait until something is the case; answers how long it took, in seconds."""
    begin, over = time.monotonic(), False
    while not condition():
        assert not over, f"waited {seconds} s in vain until {what}"
        time.sleep(0.01)
        over = time.monotonic() - begin >= seconds
    return time.monotonic() - begin


@dataclass(frozen=True, slots=True)
class Happening:
    """An address was put on a device of a machine, or taken off."""

    at: float
    host: str
    address: Address
    gone: bool


class Host:
    """A machine: eth0 is the wire between the two; eth1 of each ends in the other, too."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        with namespaces.inside(name):
            self._line = Line()

    def holds(self) -> set[Address]:
        """All its addresses."""
        return {address.address for address in self._line.addresses()}

    def ip(self, *lines: str) -> None:
        with namespaces.inside(self.name):
            ip(lines)

    def popen(self, words: list[str], **options: Any) -> subprocess.Popen[str]:
        with namespaces.inside(self.name):
            return subprocess.Popen(words, text=True, **options)

    def close(self) -> None:
        self._line.close()


class Wire:
    """Both machines, and a record of what happens to their addresses."""

    def __init__(self) -> None:
        mark = f"{os.getpid()}-{next(_numbers)}"
        names = [f"dxv{mark}a", f"dxv{mark}b"]
        ip([f"netns add {name}" for name in names])
        lines = [f"link add eth{n} netns {names[0]} type veth peer name eth{n} netns {names[1]}" for n in (0, 1)]
        ip(lines)
        self.hosts = [Host(name, number) for number, name in enumerate(names, 1)]
        for host in self.hosts:
            with namespaces.inside(host.name):
                sysctl.require("net.ipv6.conf.all.keep_addr_on_down", "1")
            lines = ["link set lo up"]
            for n in (0, 1):
                lines += [
                    f"link set eth{n} up",
                    f"address add 10.{n}.0.{host.number}/24 dev eth{n}",
                    f"address add fe80::{n}:{host.number}/64 dev eth{n} nodad",
                    f"address add fd0{n}::{host.number}/64 dev eth{n} nodad",
                ]
            host.ip(*lines)
        self.happened: list[Happening] = []
        self._ended = threading.Event()
        self._events = []
        for host in self.hosts:
            with namespaces.inside(host.name):
                self._events.append(Events())
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for host in self.hosts:
            host.close()
        ip([f"netns del {host.name}" for host in self.hosts])

    def bare(self, address: Address, since: float) -> float:
        """For how many seconds since a time, at which one machine held an address, nobody did while it moved."""

        def moves_and_holders() -> tuple[list[Happening], set[str]]:
            """What happened since, and who must have held it before."""
            moves = [each for each in self.happened if each.address == address and each.at >= since]
            holders = {host.name for host in self.hosts if address in host.holds()}
            for move in reversed(moves):
                holders ^= {move.host}
            return moves, holders

        until("all moves are recorded", lambda: len(moves_and_holders()[1]) == 1)
        moves, holders = moves_and_holders()
        total, empty_since = 0.0, 0.0
        for move in moves:
            holders ^= {move.host}
            if not holders:
                empty_since = move.at
            elif empty_since:
                total += move.at - empty_since
                empty_since = 0.0
        return total

    def moved(self, address: Address, host: Host, gone: bool, since: float) -> float:
        """When, after a time, an address was last put on a machine or taken off. It was; it may not be recorded yet."""

        def times() -> list[float]:
            moves = [each for each in self.happened if (each.address, each.host) == (address, host.name)]
            return [each.at for each in moves if each.gone == gone and each.at >= since]

        until("the move is recorded", times)
        return max(times())

    def _record(self) -> None:
        poll = select.poll()
        by_descriptor = {}
        for events, host in zip(self._events, self.hosts, strict=True):
            poll.register(events.fileno(), select.POLLIN)
            by_descriptor[events.fileno()] = events, host
        known: dict[str, set[Address]] = {host.name: host.holds() for host in self.hosts}
        while not self._ended.is_set():
            for descriptor, _ in poll.poll(50):
                events, host = by_descriptor[descriptor]
                for change in events.read():
                    if isinstance(change.thing, InterfaceAddress):
                        address = change.thing.address
                        if (address in known[host.name]) == change.gone:
                            known[host.name] ^= {address}
                            self.happened.append(Happening(time.monotonic(), host.name, address, change.gone))
        for events in self._events:
            events.close()


@contextmanager
def wire() -> Iterator[Wire]:
    made = Wire()
    try:
        yield made
    finally:
        made.close()


class Keepalived:
    """The real one, VRRP only."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self.log = directory / "keepalived.log"

    def start(self, configuration: str) -> None:
        file = self._directory / "keepalived.conf"
        file.write_text(configuration)
        for left in self._directory.glob("*pid"):  # by one that was killed
            left.unlink()
        words = ["keepalived", "--vrrp", "--dont-fork", "--log-console", "--log-detail", "--use-file", str(file)]
        words += ["--pid", str(self._directory / "pid"), "--vrrp_pid", str(self._directory / "vrrp.pid")]
        self._process = self._host.popen(words, stdout=self.log.open("a"), stderr=subprocess.STDOUT)

    def reload(self, configuration: str) -> None:
        assert self._process is not None
        (self._directory / "keepalived.conf").write_text(configuration)
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def said(self, text: str) -> bool:
        return text in self.log.read_text()


class OurRouters:
    """Our service in a process of its own on a machine."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self.lines: list[dict[str, Any]] = []

    def start(self, configuration: Configuration) -> None:
        environment = {**os.environ, "MEMORY": str(self._directory / "memory")}
        self._process = self._host.popen(
            [sys.executable, str(PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._directory / "ours.log").open("a"),
            env=environment,
        )
        threading.Thread(target=self._read, args=(self._process, self.lines), daemon=True).start()
        self._ask("start", configuration)

    def reload(self, configuration: Configuration) -> None:
        self._ask("reload", configuration)

    def states(self) -> dict[str, dict[str, Any]]:
        self._ask("states")
        told = next(line for line in reversed(self.lines) if line["kind"] == "states")
        return {status["name"]: status for status in told["states"]}

    def strangers(self) -> list[dict[str, Any]]:
        self._ask("strangers")
        told = next(line for line in reversed(self.lines) if line["kind"] == "strangers")
        return list(told["strangers"])

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            assert process.stdin is not None
            process.stdin.write("stop\n")
            process.stdin.flush()
            assert process.wait(20) == 0

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def hold_up(self, seconds: float) -> None:
        """It gets no processor for so long."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self._process is not None:
            self.kill()

    def _ask(self, word: str, configuration: Configuration | None = None) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        place = len(self.lines)
        packed = base64.b64encode(pickle.dumps(configuration)).decode() if configuration is not None else ""
        self._process.stdin.write(f"{word} {packed}\n")
        self._process.stdin.flush()
        until(
            f"our routers did: {word}",
            lambda: any(line["kind"] == "done" and line["word"] == word for line in self.lines[place:]),
        )

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: list[dict[str, Any]]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(json.loads(line))
