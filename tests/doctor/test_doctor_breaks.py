"""Every way to break a cluster is named by the doctor, mended by its advice, and undone by `lab heal`."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from patient import Patient

from directrix.lab.breaking import break_lab, heal_lab
from directrix.lab.breaks import BREAKS
from directrix.lab.masquerade_breaks import MASQUERADE_BREAKS
from directrix.lab.vrrp_breaks import VRRP_BREAKS

pytestmark = pytest.mark.root


@dataclass(frozen=True)
class Named:
    """Where the doctor finds a break, by which check, and what it says; the first place is where advice is followed."""

    broken: str
    host: str
    check: str
    says: str
    options: tuple[str, ...] = ()


SERVICE = ("--service", "10.0.0.100:80")

EVERY = (
    Named("arp-leak", "director", "answers", "the real server 10.0.0.11"),
    Named("arp-leak", "director", "announcing", "asks in the name of 10.0.0.100"),
    Named("arp-leak", "rs1", "arp-settings", "answers for 10.0.0.100"),
    Named("no-vip", "director", "direct-path", "does not carry it"),
    Named("no-vip", "rs1", "prepared", "is not so any more"),
    Named("no-vip", "rs1", "vip", "does not carry it", ("--role", "realserver", "--vip", "10.0.0.100")),
    Named("wide-vip", "rs1", "vip", "every address of 10.0.0.0/24"),
    Named("wrong-bind", "director", "direct-path", "listens on its own address 10.0.0.11 only"),
    Named("wrong-bind", "rs1", "listening", "listens on 10.0.0.11 only", SERVICE),
    Named("wrong-port", "director", "direct-path", "but somebody does at 8080"),
    Named("wrong-port", "rs1", "listening", "nginx does at 8080", SERVICE),
    Named("rp-filter", "director", "client-path", "answers by another way", ("--client", "10.0.0.50")),
    Named("rp-filter", "rs1", "rp-filter", "answers to them leave by back"),
    Named("firewall", "director", "direct-path", "a firewall there drops it"),
    Named("firewall", "rs1", "firewall", "inet lab_break input drops its packets", SERVICE),
    Named("wrong-gateway", "director", "gateway", "the director is its default gateway"),
    Named("wrong-gateway", "rs1", "gateway", "it is the director of 10.0.0.100"),
    Named("dup-vip", "director", "answers", "which is no real server"),
    Named("mtu", "director", "mtu", "connections stand still"),
    Named("no-neighbour", "director", "neighbours", "a permanent entry"),
    Named("director-no-vip", "director", "vip", "the director does not carry it"),
    Named("only-vip", "director", "own-address", "the VIP is the only address"),
    Named("detached", "director", "hooks", "the program is gone"),
    Named("table-full", "director", "fill", "the table is full"),
)


ELSEWHERE = {each.name for each in (*MASQUERADE_BREAKS, *VRRP_BREAKS)} | {"no-decapsulation"}
"""Breaks that need another lab: test_doctor_failover.py, _masquerading.py and _tunnels.py look for them."""


def test_every_break_is_looked_for() -> None:
    assert {each.broken for each in EVERY} == set(BREAKS) - ELSEWHERE


@pytest.mark.parametrize("host", ["director", "rs1", "client"])
def test_a_healthy_cluster_gets_no_complaint(patient: Patient, host: str) -> None:
    options = {"client": ("--vip", "10.0.0.100", "--vip", "fd00::100")}.get(host, ())
    found = patient.examine(host, *options)
    assert (found.status, found.wrong) == (0, [])


FIRST = {named.broken: named for named in reversed(EVERY)}
"""Where each break is found first; the other places are looked at where there is time."""

LONG = ("table-full", "detached", "no-neighbour", "only-vip", "wrong-port")
"""Breaks that are looked at there, too."""


def one_by_one() -> list[object]:
    return [
        pytest.param(
            named,
            id=f"{named.broken}-{named.host}-{named.check}",
            marks=[pytest.mark.slow] if named.broken in LONG or FIRST[named.broken] != named else [],
        )
        for named in EVERY
    ]


@pytest.mark.parametrize("named", one_by_one())
def test_the_doctor_names_it_its_advice_mends_it_and_healing_leaves_nothing(patient: Patient, named: Named) -> None:
    only = ("--only", named.check, *named.options)
    before = patient.snapshot()
    with patient.broken(named.broken):
        assert patient.snapshot() != before
        found = patient.examine(named.host, *only)
        assert any(named.says in f"{each['looked_at']}: {each['said']}" for each in found.wrong), found.said
        for complaint in found.wrong:
            patient.follow(complaint, named.host)
        again = patient.examine(named.host, *(named.options if named == FIRST[named.broken] else only))
        assert again.wrong == []
    assert patient.snapshot() == before


@pytest.mark.slow
def test_what_is_healed_without_being_mended_is_as_it_was(patient: Patient) -> None:
    before = patient.snapshot()
    without = {"only-vip", "wide-vip", "wrong-port", "no-neighbour"} | ELSEWHERE
    broken = [name for name in BREAKS if name not in without]
    for name in broken:
        break_lab(patient.lab, BREAKS[name])
    assert [each.name for each in heal_lab(patient.lab)] == broken
    assert patient.snapshot() == before
