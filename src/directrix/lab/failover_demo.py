"""Failover at work, shown step by step: servers and directors die and come back, clients go on, with times and counts.

Clients ask all the time, and some keep their connections. Each step has one thing happen to the cluster, waits until a
director's own event log tells that it is over, watches on for a moment, and sums up what clients met since it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from directrix.lab import directing, nginx
from directrix.lab.clients import PATIENCE, SLOW, Clients
from directrix.lab.errors import LabError
from directrix.lab.performing import build_lab, perform
from directrix.lab.privilege import require_root
from directrix.lab.stage import Stage
from directrix.lab.state import LabState
from directrix.lab.watching import Watch
from directrix.system import namespaces
from directrix.system.commands import CommandFailed, run

_VIP = "10.0.0.100"
_PORTS = {"mh": 80, "rr": 8080}
_KEPT = 8
_RATE = 100.0
_SETTLE = 1.0
"""Seconds that are watched on when something is over."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What clients met while one thing happened to the cluster.

    Attributes:
        event: what happened.
        seconds: from its beginning until the cluster had answered it.
        requests, failed, slow, slowest: of new connections; see `clients.Tally`.
        kept: connections that were kept, of each scheduler: how many, and how many of them went on.
    """

    event: str
    seconds: float
    requests: int
    failed: int
    slow: int
    slowest: float
    kept: dict[str, tuple[int, int]]

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        kept = {scheduler: {"connections": all_, "went_on": on} for scheduler, (all_, on) in self.kept.items()}
        return {**asdict(self), "seconds": round(self.seconds, 3), "slowest": round(self.slowest, 3), "kept": kept}


def demo(stage: Stage) -> tuple[bool, list[Figures]]:
    """Build the cluster of two directors, have things die and heal, take it down.

    Returns:
        Whether all was as shown, and the figures, step by step.

    Raises:
        LabError: it can't be built, or not be taken down.
    """
    require_root()
    figures: list[Figures] = []
    title = "Failover: two directors, one address, and clients who hardly notice"
    return perform(stage, title, lambda stage: _play(stage, figures)), figures


def _play(stage: Stage, figures: list[Figures]) -> None:
    lab = _build(stage)
    with Clients(lab.host("client"), _VIP, _PORTS["mh"], _RATE) as clients:
        scene = _Scene(stage, lab, clients, figures)
        for step in (_clients, _stop, _start, _kill, _return, _pull, _plug, _server_dies, _server_heals):
            try:
                step(scene)
            except CommandFailed as failure:
                stage.check(False, f"`{failure.command}` succeeds", failure.output or f"it ended with {failure.status}")
            except LabError as error:
                stage.check(False, "the directors tell what happened", str(error))
            if stage.differences:
                return
    _sum_up(stage, figures)


def _build(stage: Stage) -> LabState:
    stage.step("Two directors, one of them master")
    stage.say(
        "Both run the same keepalived.conf, which gives d1 the higher priority: VRRP with an advert each 0.2 s, and"
    )
    stage.say("checks of the real servers each 0.5 s. `directrix lab show failover` prints it.")
    lab = build_lab(stage, "failover")
    for name in ("d1", "d2"):
        stage.run(lab.host(name), ["directrix", "show", "vrrp"])
    return lab


class _Scene:
    """The cluster with its clients while something happens to it."""

    def __init__(self, stage: Stage, lab: LabState, clients: Clients, figures: list[Figures]) -> None:
        self.stage = stage
        self.lab = lab
        self._clients = clients
        self._figures = figures

    def happens(self, event: str, do: Callable[[], None], host: str, *told: str, **who: str) -> Figures:
        """Have something happen, wait until a director has told that it is over, and count what clients met.

        Raises:
            LabError: it is not told.
        """
        kept = {scheduler: self._clients.keep(_KEPT, port) for scheduler, port in _PORTS.items()}
        with Watch(self.lab.name, host) as watch:
            begun = time.monotonic()
            do()
            took = watch.until(*told, **who) - begun
        time.sleep(_SETTLE)
        went_on = {scheduler: (_KEPT, self._clients.gone_on(those)) for scheduler, those in kept.items()}
        met = self._clients.since(begun)
        found = Figures(event, took, met.requests, met.failed, met.slow, met.slowest, went_on)
        self._figures.append(found)
        self.stage.say(f"{took:.2f} s later {host} tells: {' '.join([*told, *who.values()])}.")
        return found

    def calm(self, seconds: float) -> Figures:
        """Count what clients meet while nothing happens."""
        begun = time.monotonic()
        time.sleep(seconds)
        met = self._clients.since(begun)
        return Figures("nothing", 0.0, met.requests, met.failed, met.slow, met.slowest, {})

    def requests(self, found: Figures, at_most: int = 0) -> None:
        """Claim that no more requests failed than that."""
        slow = f"{found.slow} took more than {SLOW:g} s, " if found.slow else ""
        met = f"{slow}the slowest took {found.slowest * 1000:.0f} ms"
        failed = "none failed" if not found.failed else f"{found.failed} failed"
        self.stage.check(
            found.failed <= at_most, f"{found.requests} new connections: {failed}; {met}", f"{failed}; {met}"
        )

    def kept(self, found: Figures) -> None:
        """Claim that connections over mh go on, and tell how those over rr fare."""
        (all_mh, mh), (all_rr, rr) = found.kept["mh"], found.kept["rr"]
        claim = f"of {all_mh} connections kept over mh {mh} go on, of {all_rr} over rr {rr}"
        self.stage.check(mh == all_mh, claim, claim)


def _clients(scene: _Scene) -> None:
    scene.stage.step("Clients who ask all the time")
    scene.stage.say(
        f"From now on the client opens {_RATE:g} connections a second to {_VIP}:{_PORTS['mh']}, asks for a page\n"
        f"on each, and waits {PATIENCE:g} s for it. In each step it also keeps {_KEPT} connections to that port,\n"
        f"whose scheduler is mh, and as many to port {_PORTS['rr']}, whose scheduler is rr."
    )
    scene.requests(scene.calm(2.0))


def _stop(scene: _Scene) -> None:
    scene.stage.step("The master is stopped, as for an upgrade")
    scene.stage.say("It resigns, and keeps the address until it hears the new master.")
    d1 = scene.lab.host("d1")
    scene.stage.show_command("d1", ["kill", str(directing.process(d1))])
    found = scene.happens("d1 is stopped", lambda: directing.stop(d1), "d2", "vrrp", "MASTER")
    scene.requests(found)
    scene.kept(found)
    scene.stage.say(
        "d2 knows none of d1's connections. With mh it chooses the same real server as d1 did, by the client's\n"
        "address and port alone, and with the sysctl sloppy_tcp it takes them up in the middle. rr chooses anew, and\n"
        "is right by chance."
    )


def _start(scene: _Scene) -> None:
    scene.stage.step("It is started again")
    scene.stage.say("For two seconds it only checks (preempt_delay), then it takes over by its priority.")
    found = _starts(scene, "d1 is started")
    scene.requests(found)
    scene.kept(found)


def _kill(scene: _Scene) -> None:
    scene.stage.step("The master's daemon is killed")
    scene.stage.say("The table lives in the kernel and forwards on. After three missing adverts d2 takes over.")
    d1 = scene.lab.host("d1")
    scene.stage.show_command("d1", ["kill", "-9", str(directing.process(d1))])
    found = scene.happens("d1's daemon is killed", lambda: directing.kill(d1), "d2", "vrrp", "MASTER")
    scene.requests(found)
    scene.kept(found)


def _return(scene: _Scene) -> None:
    scene.stage.step("It is started again")
    found = _starts(scene, "d1's daemon is back")
    scene.requests(found)
    scene.kept(found)


def _pull(scene: _Scene) -> None:
    scene.stage.step("The master's cable is pulled")
    scene.stage.say(
        "Nobody hears the address until three adverts are missing. Clients try again after a second, as TCP does."
    )
    found = _cable(scene, "d1's cable is pulled", "down", "d2")
    scene.requests(found)
    scene.kept(found)


def _plug(scene: _Scene) -> None:
    scene.stage.step("It is plugged in again")
    found = _cable(scene, "d1's cable is plugged in", "up", "d1")
    scene.requests(found)
    scene.kept(found)


def _server_dies(scene: _Scene) -> None:
    """Until checks find it out, its share of the clients is refused."""
    scene.stage.step("A real server dies")
    place = directing.directory(scene.lab.name, "rs1")
    pids = " ".join(map(str, _processes(scene, "rs1")))
    scene.stage.show_command("rs1", ["kill", "-9", *pids.split()])
    found = scene.happens(
        "rs1 dies",
        lambda: _on(scene, "rs1", ["kill", "-9", *pids.split()]),
        "d1",
        "server",
        "down",
        server="10.0.0.11:80",
    )
    (place / "nginx.pid").unlink(missing_ok=True)
    scene.stage.say(
        f"Meanwhile its share of the clients was refused: {found.failed} of {found.requests} new connections."
    )
    scene.requests(scene.calm(1.0))


def _server_heals(scene: _Scene) -> None:
    scene.stage.step("It comes back")
    command = nginx.command(str(directing.directory(scene.lab.name, "rs1")))
    scene.stage.show_command("rs1", command)
    found = scene.happens(
        "rs1 comes back", lambda: _on(scene, "rs1", command), "d1", "server", "up", server="10.0.0.11:80"
    )
    scene.requests(found)


def _starts(scene: _Scene, event: str) -> Figures:
    d1 = scene.lab.host("d1")
    scene.stage.show_command("d1", ["directrix", "run", "-f", directing.CONFIGURATION, "-i", "d1"])
    return scene.happens(event, lambda: directing.start(scene.lab.name, d1), "d1", "vrrp", "MASTER")


def _cable(scene: _Scene, event: str, state: str, master: str) -> Figures:
    command = ["ip", "link", "set", "d1.eth0", state]
    scene.stage.show_command("switch", command)
    return scene.happens(event, lambda: _on(scene, "switch", command), master, "vrrp", "MASTER")


def _on(scene: _Scene, host: str, command: list[str]) -> None:
    with namespaces.inside(scene.lab.host(host).namespace):
        run(command)


def _processes(scene: _Scene, host: str) -> list[int]:
    identity = namespaces.identity(scene.lab.host(host).namespace)
    return namespaces.processes(identity) if identity else []


def _sum_up(stage: Stage, figures: list[Figures]) -> None:
    stage.step("What it came to")
    head = f"{'':<26}{'until':>8}{'new connections':>17}{'failed':>8}{'slowest':>10}{'kept, mh':>11}{'kept, rr':>10}"
    stage.say(head)
    for one in figures:
        kept = [f"{on}/{all_}" for all_, on in one.kept.values()]
        stage.say(
            f"{one.event:<26}{one.seconds:>6.2f} s{one.requests:>17}{one.failed:>8}{one.slowest * 1000:>7.0f} ms"
            f"{kept[0]:>11}{kept[1]:>10}"
        )
