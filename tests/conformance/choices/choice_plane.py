"""The data plane, for the scenarios of choices: segments go in as frames by BPF_PROG_TEST_RUN.

What it can't do yet it refuses as such, and a scenario that asks for it is not played.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import islice

from choice_frames import frame, hardware, served
from choice_steps import REFUSED, Segment, perform
from data_plane import GATEWAY_MAC, TC_REDIRECT, WIRE_MAC, DataPlane, service, world
from in_process import FileNames, execute
from scenario import Answer, Step, transcript

from directrix.lvs import Address, Protocol, ServiceKey, parse_address
from directrix.lvs.errors import NotSupportedYet
from directrix.system import namespaces
from directrix.table.interface import Table

CONNECTIONS = 20_000
A_WHILE = 200
"""Segments after which next hops are said to be fresh again, before the data plane asks the kernel."""


def _neighbours(servers: Iterable[Address]) -> str:
    lines = (f"neigh replace {one} lladdr {hardware(one).hex(':')} dev wire nud permanent\n" for one in servers)
    return "".join(lines)


SET_UP = f"""
link add wire address {WIRE_MAC.hex(":")} type veth peer name wire-far
link set lo up
link set wire up
link set wire-far up
addr add 10.0.0.254/24 dev wire
addr add fd00::254/64 dev wire nodad
route add 10.2.0.0/16 dev wire
""" + _neighbours(
    parse_address(first) + number
    for first, count in (("10.0.0.10", 8), ("fd00::10", 4))
    for number in range(1, count + 1)
)


class Chooser:
    """Plays scenarios on a data plane, in whose network namespace the calling thread is."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._names = FileNames()
        self._marked: set[tuple[Address, int, int]] = set()

    def refusal(self, steps: list[Step]) -> str:
        """What of a scenario the data plane refuses as not supported yet; empty if nothing."""
        self._plane.reset()
        for key, scheduler in _asked_for(steps):
            try:
                self._plane.table.add_service(service(key, scheduler))
                self._plane.table.delete_service(key)
            except NotSupportedYet as refused:
                return str(refused)
        return ""

    def play(self, steps: list[Step]) -> str:
        """The transcript of a scenario, over an empty table."""
        self._plane.reset()
        self._marked.clear()
        return transcript(steps, self._perform)

    def _perform(self, step: Step) -> Answer:
        return perform(step, self._command, self._choose, self._introduce)

    def _open(self, *, create: bool) -> Table:
        return _Kept(self._plane.table)

    def _command(self, step: Step) -> Answer:
        answer = execute(step, self._open, self._names)
        self._plane.freeze_hops()
        return answer

    def _introduce(self, servers: list[Address]) -> None:
        subprocess.run(["ip", "-batch", "-"], input=_neighbours(servers), text=True, check=True)

    def _choose(self, sent: Iterable[Segment]) -> Iterator[str]:
        segments = iter(sent)
        while some := list(islice(segments, A_WHILE)):
            for segment in some:
                self._mark(segment)
            self._plane.keep_hops()
            for segment in some:
                result, after = self._plane.tc(frame(segment, WIRE_MAC, GATEWAY_MAC))
                yield (served(after, segment) if result == TC_REDIRECT else "") or REFUSED

    def _mark(self, segment: Segment) -> None:
        """Have packets like this one marked: on a wire netfilter does it, here a rule."""
        wanted = (segment.virtual, segment.virtual_port, segment.mark)
        if not segment.mark or wanted in self._marked:
            return
        from directrix.lvs.mark import MarkMatch, MarkRule

        self._marked.add(wanted)
        port = segment.virtual_port
        match = MarkMatch(ip_network(segment.virtual), Protocol.TCP, port, port)
        self._plane.table.add_mark(MarkRule(match, segment.mark))


class _Kept:
    """The table, except that a command that has done its work does not close it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getattr__(self, name: str) -> object:
        return getattr(self._table, name)

    def close(self) -> None:
        pass


def _asked_for(steps: list[Step]) -> set[tuple[ServiceKey, str]]:
    """Services that stand for what a scenario asks for: its schedulers, and whether by address or by mark."""
    asked = set()
    for words in (step.words for step in steps if step.words[0] == "ipvsadm"):
        if "-s" in words:
            scheduler = words[words.index("-s") + 1]
            key = ServiceKey.mark(5) if "-f" in words else ServiceKey.of(Protocol.TCP, parse_address("10.0.0.96"), 80)
            asked.add((key, scheduler))
    return asked


@contextmanager
def chooser() -> Iterator[Chooser]:
    """One in a network namespace of its own; the calling thread is in there meanwhile."""
    name = f"test-{os.getpid()}-choices"
    with world(name, SET_UP, ["wire"], CONNECTIONS) as plane, namespaces.inside(name):
        yield Chooser(plane)
