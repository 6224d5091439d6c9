"""Performing a demonstration: one at a time on a machine, in a lab of its own, of which nothing is left."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from directrix.lab import state
from directrix.lab.builder import build
from directrix.lab.errors import LabError
from directrix.lab.language import read_lab
from directrix.lab.ready_made import find
from directrix.lab.stage import Stage
from directrix.lab.state import LabState
from directrix.lab.teardown import take_down
from directrix.system import namespaces
from directrix.system.signals import uninterrupted

NAME = "demo"
"""The lab's name."""

_SOURCE = "directrix lab demo"


def perform(stage: Stage, title: str, show: Callable[[Stage], None]) -> bool:
    """Have something shown, then take down the lab that it built; True if all was as shown.

    Raises:
        LabError: another one is being shown, or the lab can't be built, or not be taken down.
    """
    with _only_one():
        _clear_remains()
        stage.title(title)
        try:
            show(stage)
            _take_down(stage)
        finally:
            with uninterrupted():
                if NAME in state.names():
                    take_down(NAME)
        stage.end()
    return stage.differences == 0


def build_lab(stage: Stage, ready_made: str) -> LabState:
    """Build the demonstration's lab from a ready-made one, and show its hosts.

    Raises:
        LabError: it can't be built.
    """
    stage.show_command("", ["directrix", "lab", "up", ready_made, "--name", NAME])
    lab = build(read_lab(find(ready_made)), NAME, _SOURCE)
    for host in lab.hosts:
        if host.addresses:
            stage.show_output(f"{host.name:<9} {host.role:<11} {host.addresses[0]}")
    return lab


def _take_down(stage: Stage) -> None:
    stage.step("Away with it")
    stage.show_command("", ["directrix", "lab", "down", NAME])
    known = state.read(NAME)
    take_down(NAME)
    left = [name for name in known.namespaces if namespaces.exists(name)] if known else []
    stage.check(NAME not in state.names() and not left, "nothing of it is left", f"still there: {left}")


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the right to show the demo. The kernel takes the name back when we end, in whatever way.

    Raises:
        LabError: another one is running.
    """
    with socket.socket(socket.AF_UNIX) as right:
        try:
            right.bind(f"\0directrix lab {NAME}")
        except OSError:
            raise LabError("the demo is being shown already", "wait for it to end") from None
        yield


def _clear_remains() -> None:
    """Take down what a demo left that was killed; anybody else's lab of this name stays."""
    if NAME in state.names():
        known: LabState | None = state.read(NAME)
        if known is None or known.source == _SOURCE:
            take_down(NAME)
