"""Two directors that lose sight of each other: the doctor names it, its advice mends it, healing leaves nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from patient import Patient, lab_of

from directrix.lab import directing
from directrix.lab.breaking import break_lab, heal_lab
from directrix.lab.breaks import BREAKS
from directrix.lab.errors import LabError
from directrix.lab.nginx import command
from directrix.lab.vrrp_breaks import VRRP_BREAKS
from directrix.system import namespaces

pytestmark = pytest.mark.root

DIRECTORS = ("d1", "d2")


@pytest.fixture(scope="module")
def patient() -> Iterator[Patient]:
    """A healthy cluster with two directors, one for all tests of this module: who breaks it, heals it."""
    with lab_of("failover") as lab:
        yield lab


def until(what: str, condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline, over = time.monotonic() + seconds, False
    while not condition():
        assert not over, f"waited in vain until {what}"
        time.sleep(0.1)
        over = time.monotonic() >= deadline


@dataclass(frozen=True)
class Named:
    """What the doctor says of a break on each director, and on which ones advice is followed, in this order."""

    broken: str
    says: dict[str, str]
    followed: tuple[str, ...]


EVERY = (
    Named(
        "vrrp-filter", {"d1": "does not heed this director", "d2": "arrive at eth0, and not at the director"}, ("d2",)
    ),
    Named("vrrp-switch", dict.fromkeys(DIRECTORS, "answers for 10.0.0.100, too, and no advert of it"), DIRECTORS),
    Named("vrrp-password", dict.fromkeys(DIRECTORS, "is not heeded: another password: both are master"), ("d2",)),
    Named(
        "vrrp-addresses",
        {"d1": "(it has 10.0.0.101, 10.0.0.100): both are master", "d2": "(it has 10.0.0.100): both are master"},
        ("d2",),
    ),
    Named("vrrp-stranger", dict.fromkeys(DIRECTORS, "10.0.0.50 (priority 100) uses virtual router id 51"), DIRECTORS),
)
QUICK = ("vrrp-filter",)
"""The others are looked at where there is time."""


def test_every_break_is_looked_for() -> None:
    assert [each.broken for each in EVERY] == [each.name for each in VRRP_BREAKS]


@pytest.mark.parametrize(
    "host", [DIRECTORS[0], *(pytest.param(host, marks=pytest.mark.slow) for host in (DIRECTORS[1], "rs1", "client"))]
)
def test_a_healthy_cluster_gets_no_complaint(patient: Patient, host: str) -> None:
    options = {"client": ("--vip", "10.0.0.100", "--vip", "fd00::100")}.get(host, ())
    found = patient.examine(host, *options)
    assert (found.status, found.wrong) == (0, [])


def complaints(patient: Patient, host: str) -> list[str]:
    found = patient.examine(host, "--only", "vrrp")
    return [f"{each['looked_at']}: {each['said']}" for each in found.wrong]


@pytest.mark.parametrize(
    "named",
    [pytest.param(each, id=each.broken, marks=[] if each.broken in QUICK else [pytest.mark.slow]) for each in EVERY],
)
def test_the_doctor_names_it_its_advice_mends_it_and_healing_leaves_nothing(patient: Patient, named: Named) -> None:
    before = patient.snapshot()
    with patient.broken(named.broken):
        for host, says in named.says.items():
            until(
                f"the doctor on {host} says: {says}",
                lambda host=host, says=says: any(says in each for each in complaints(patient, host)),  # type: ignore[misc]
            )
        for host in named.followed:
            for complaint in patient.examine(host, "--only", "vrrp").wrong:
                patient.follow(complaint, host)
        for host in DIRECTORS:
            until(f"{host} is well", lambda host=host: not complaints(patient, host))  # type: ignore[misc]
        assert patient.examine("d1").wrong == []
    until("everything is as it was", lambda: patient.snapshot() == before)
    until("d2 is backup again", lambda: not complaints(patient, "d2"))


def test_a_director_looked_after_by_a_daemon_is_not_broken_by_hand(patient: Patient) -> None:
    for name in ("director-no-vip", "table-full"):
        with pytest.raises(LabError, match="d1 is looked after by `directrix run`"):
            break_lab(patient.lab, BREAKS[name])
    assert heal_lab(patient.lab) == []


def test_a_director_that_was_killed_is_told_and_the_other_one_is_not_told_to_give_up_its_address(
    patient: Patient,
) -> None:
    d1 = patient.host("d1")
    pid = directing.process(d1)
    directing.kill(d1)
    try:
        until("d2 has taken over", lambda: not patient.examine("d2", "--only", "vip").wrong and _holds(patient, "d2"))
        found = {each["check"]: each for each in patient.examine("d1").wrong}
        assert set(found) == {"director", "answers"}
        assert f"it ran here as process {pid}, and was killed or crashed" in found["director"]["said"]
        assert found["answers"]["remedies"] == []
    finally:
        directing.start(patient.name, d1)
    until("d1 is master again", lambda: not _holds(patient, "d2"))
    assert patient.examine("d1").wrong == []


def _holds(patient: Patient, host: str) -> bool:
    return " 10.0.0.100/" in patient.run(host, "ip address show dev eth0").stdout


def test_a_reload_that_was_refused_is_told(patient: Patient) -> None:
    file = directing.directory(patient.name, "d2") / directing.CONFIGURATION
    before = file.read_text()
    pid = directing.process(patient.host("d2"))
    try:
        file.write_text(before.replace("lvs_sched mh", "lvs_sched maglef"))
        patient.run("d2", f"kill -HUP {pid}")
        until("it is told", lambda: patient.examine("d2", "--only", "director").wrong)
        [found] = patient.examine("d2", "--only", "director").wrong
        assert "the last reload was refused, and the configuration before is in force" in found["said"]
        [advice] = found["remedies"]
        assert "maglef" in patient.run("d2", advice["command"]).stderr
    finally:
        file.write_text(before)
        patient.run("d2", f"kill -HUP {pid}")
    until("it is well again", lambda: not patient.examine("d2", "--only", "director").wrong)


def test_a_real_server_that_fails_its_checks_is_told_with_when_it_began(patient: Patient) -> None:
    server = patient.host("rs1")
    identity = namespaces.identity(server.namespace)
    assert identity
    for pid in namespaces.processes(identity):
        subprocess.run(["kill", "-9", str(pid)], check=False)

    def told() -> list[str]:
        found = patient.examine("d2", "--only", "health-checks")
        return [f"{each['looked_at']}: {each['said']}" for each in found.wrong]

    try:
        until("the director has noticed", lambda: len(told()) == 3)
        assert any(
            "HTTP_GET of 10.0.0.11:80 for TCP 10.0.0.100:80: it fails since" in each and "Connection refused" in each
            for each in told()
        )
    finally:
        with namespaces.inside(server.namespace):
            subprocess.run(command(str(directing.directory(patient.name, "rs1"))), check=True)
    until("it is well again", lambda: not told())
