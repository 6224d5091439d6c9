"""Our routers and the real keepalived as each other's master and backup, on one wire.

Every kind of virtual router there is runs at once, each twice: once with the higher priority here, once there. Version
2 knows no interval below a second, so waiting for it is most of what these tests do.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest
from vrrp_hosts import Keepalived, OurRouters, Wire, until, wire

from directrix.lvs.addresses import Family
from directrix.system.interfaces import Address
from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.values import Authentication, AuthenticationType, Peer, VirtualAddress, VirtualMac

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

HIGH, LOW = 150, 100
PASSWORD = b"secret"
MOMENT = 0.3
"""Seconds an address may be nobody's when it is handed over: the new master's advert is heard before it has it. It is
about a millisecond; more than this would be the skew time of version 2 (0.6 s), so that nothing was handed over.
"""
SLACK = 1.0
"""Seconds a busy machine may take longer than the protocol does: less than two intervals, else nothing was resigned."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of virtual router, as an instance of ours without names, and as keepalived.conf has it."""

    name: str
    version: int = 3
    family: Family = Family.INET
    interval: int = 50
    authentication: AuthenticationType | None = None
    unicast: bool = False
    virtual_mac: bool = False


KINDS = (
    Kind("v2", version=2, interval=100),
    Kind("v2pass", version=2, interval=100, authentication=AuthenticationType.PASS),
    Kind("v2ah", version=2, interval=100, authentication=AuthenticationType.AH),
    Kind("v2ahunicast", version=2, interval=100, authentication=AuthenticationType.AH, unicast=True),
    Kind("v3"),
    Kind("v3unicast", unicast=True),
    Kind("v3vmac", virtual_mac=True),
    Kind("v3inet6", family=Family.INET6),
    Kind("v3inet6unicast", family=Family.INET6, unicast=True),
    Kind("v3inet6vmac", family=Family.INET6, virtual_mac=True),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One virtual router of both machines."""

    kind: Kind
    vrid: int
    ours_is_master: bool

    @property
    def name(self) -> str:
        return f"{self.kind.name}_{'ours' if self.ours_is_master else 'theirs'}"

    @property
    def address(self) -> Address:
        return ip_address(f"10.0.0.{100 + self.vrid}" if self.kind.family is Family.INET else f"fe80::100:{self.vrid}")

    def _host(self, number: int) -> Address:
        # Not link-local: keepalived's virtual MAC devices have that address, too, and would answer for it.
        return ip_address(f"10.0.0.{number}" if self.kind.family is Family.INET else f"fd00::{number}")

    def ours(self, priority: int | None = None) -> Instance:
        kind = self.kind
        default = HIGH if self.ours_is_master else LOW
        return Instance(
            self.name,
            "eth0",
            self.vrid,
            default if priority is None else priority,
            version=kind.version,
            family=kind.family,
            interval=kind.interval,
            addresses=(VirtualAddress(self.address, 32 if kind.family is Family.INET else 128),),
            authentication=Authentication(kind.authentication, PASSWORD) if kind.authentication else None,
            peers=(Peer(self._host(2)),) if kind.unicast else (),
            virtual_mac=VirtualMac() if kind.virtual_mac else None,
        )

    def theirs(self) -> str:
        kind = self.kind
        lines = [
            f"vrrp_instance {self.name} {{",
            "  interface eth0",
            f"  virtual_router_id {self.vrid}",
            f"  priority {LOW if self.ours_is_master else HIGH}",
            f"  version {kind.version}",
            f"  advert_int {kind.interval / 100:g}",
        ]
        if kind.authentication:
            lines += ["  authentication {", f"    auth_type {kind.authentication.name}", "    auth_pass secret", "  }"]
        if kind.unicast:
            lines += [f"  unicast_src_ip {self._host(2)}", "  unicast_peer {", f"    {self._host(1)}", "  }"]
        if kind.virtual_mac:
            lines += [f"  use_vmac vm{self.vrid}"]
        lines += ["  virtual_ipaddress {", f"    {self.address}", "  }", "}"]
        return "\n".join(lines)


CASES = [
    Case(kind, 2 * number + ours_is_master, ours_is_master)
    for number, kind in enumerate(KINDS, 1)
    for ours_is_master in (False, True)
]
HEAD = "global_defs {\n  router_id keepalived\n  vrrp_garp_master_delay 1\n}\n"
CONFIGURATION = Configuration(tuple(case.ours() for case in CASES))


@dataclass(frozen=True, slots=True)
class Both:
    """Our routers on the first machine, keepalived on the second."""

    wire: Wire
    ours: OurRouters
    keepalived: Keepalived

    def settle(self, here: set[Address], there: set[Address]) -> float:
        """Wait until each holds what it should, and none what it should not."""
        every = {case.address for case in CASES}

        def settled() -> bool:
            return self.wire.hosts[0].holds() & every == here and self.wire.hosts[1].holds() & every == there

        try:
            return until("every address is where it belongs", settled)
        except AssertionError:
            held = [sorted(case.name for case in CASES if case.address in host.holds()) for host in self.wire.hosts]
            raise AssertionError(f"here {held[0]}, there {held[1]}") from None


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("vrrp")
    with wire() as made:
        ours, keepalived = OurRouters(made.hosts[0], directory), Keepalived(made.hosts[1], directory)
        try:
            ours.start(CONFIGURATION)
            keepalived.start(HEAD + "\n".join(case.theirs() for case in CASES))
            yield Both(made, ours, keepalived)
        finally:
            keepalived.stop()
            ours.end()


OURS = {case.address for case in CASES if case.ours_is_master}
THEIRS = {case.address for case in CASES if not case.ours_is_master}


def test_each_is_master_where_it_has_the_higher_priority_and_backup_where_not(both: Both) -> None:
    both.settle(OURS, THEIRS)
    before = both.ours.states()
    heard = "advertisements_received"
    backups = [case.name for case in CASES if not case.ours_is_master]

    def two_more() -> bool:
        now = both.ours.states()
        return all(now[name]["statistics"][heard] - before[name]["statistics"][heard] >= 2 for name in backups)

    until("each backup has heard two adverts more", two_more)
    both.settle(OURS, THEIRS)
    after = both.ours.states()
    for case in CASES:
        status = after[case.name]
        assert status["state"] == ("MASTER" if case.ours_is_master else "BACKUP"), case.name
        assert status["rejected"] == {}, f"{case.name} did not hear {status['statistics']}"
        changes = [states[case.name]["statistics"]["become_master"] for states in (before, after)]
        assert changes[0] == changes[1], case.name
        if not case.ours_is_master:
            assert status["master_priority"] == HIGH


def test_when_keepalived_resigns_ours_is_master_within_skew_time_and_gives_way_when_it_is_back(both: Both) -> None:
    both.settle(OURS, THEIRS)
    begin = time.monotonic()
    both.keepalived.stop()
    both.settle(OURS | THEIRS, set())
    took = {}
    for case in CASES:
        if not case.ours_is_master:
            released = both.wire.moved(case.address, both.wire.hosts[1], True, begin)
            took[case] = both.wire.moved(case.address, both.wire.hosts[0], False, begin) - released

    begin = time.monotonic()
    both.keepalived.start(HEAD + "\n".join(case.theirs() for case in CASES))
    both.settle(OURS, THEIRS)
    for case, seconds in took.items():
        skew = (256 - LOW) / 256 * (1.0 if case.kind.version == 2 else case.kind.interval / 100)
        assert seconds < skew + SLACK, f"{case.name}: {seconds:.3f} s, and skew time is {skew:.3f} s"
    for address in THEIRS:
        assert both.wire.bare(address, begin) < MOMENT


def test_when_ours_is_stopped_keepalived_is_master_and_no_address_was_missing(both: Both) -> None:
    both.settle(OURS, THEIRS)
    begin = time.monotonic()
    both.ours.stop()
    both.settle(set(), OURS | THEIRS)
    missing = {case.name: both.wire.bare(case.address, begin) for case in CASES if case.ours_is_master}
    both.ours.start(CONFIGURATION)
    both.settle(OURS, THEIRS)
    assert max(missing.values()) < MOMENT, missing


def test_when_ours_is_reloaded_with_less_priority_keepalived_takes_over_and_no_address_was_missing(both: Both) -> None:
    both.settle(OURS, THEIRS)
    begin = time.monotonic()
    both.ours.reload(Configuration(tuple(case.ours(50) for case in CASES)))
    both.settle(set(), OURS | THEIRS)
    missing = {case.name: both.wire.bare(case.address, begin) for case in CASES}
    both.ours.reload(CONFIGURATION)
    both.settle(OURS, THEIRS)
    assert max(missing.values()) < MOMENT, missing


def test_when_ours_is_killed_keepalived_is_master_after_its_master_down_interval(both: Both) -> None:
    both.settle(OURS, THEIRS)
    begin = time.monotonic()
    both.ours.kill()
    both.settle(OURS, OURS | THEIRS)
    took = {
        case: both.wire.moved(case.address, both.wire.hosts[1], False, begin) - begin
        for case in CASES
        if case.ours_is_master
    }
    both.ours.start(CONFIGURATION)
    both.settle(OURS, THEIRS)
    for case, seconds in took.items():
        interval = case.kind.interval / 100
        down = 3 * interval + (256 - LOW) / 256 * (1.0 if case.kind.version == 2 else interval)
        said = f"{case.name}: {seconds:.3f} s, and master down is {down:.3f} s"
        # The last advert was sent up to an interval before.
        assert down - interval < seconds < down + SLACK, said


def test_when_ours_is_killed_and_comes_back_soon_keepalived_never_notices(both: Both) -> None:
    slow = [case for case in CASES if case.ours_is_master and case.kind.interval >= 100]
    assert slow
    both.settle(OURS, THEIRS)
    begin = time.monotonic()
    both.ours.kill()
    both.ours.start(CONFIGURATION)
    back = time.monotonic() - begin
    if back > 2.5:
        pytest.skip(f"this machine took {back:.1f} s to start a process")
    assert {both.ours.states()[case.name]["state"] for case in slow} == {"MASTER"}
    time.sleep(1.5)
    both.settle(OURS, THEIRS)
    taken = {each.address for each in both.wire.happened if each.at > begin and each.host == both.wire.hosts[1].name}
    assert not taken & {case.address for case in slow}


@pytest.mark.slow
def test_a_backup_that_was_held_up_does_not_take_its_own_silence_for_the_masters(both: Both) -> None:
    both.settle(OURS, THEIRS)
    backups = [case for case in CASES if not case.ours_is_master]
    before = both.ours.states()
    both.ours.hold_up(4.5)
    after = both.ours.states()
    for case in backups:
        changes = [states[case.name]["statistics"]["become_master"] for states in (before, after)]
        assert changes[0] == changes[1], case.name
        assert after[case.name]["state"] == "BACKUP", case.name
    both.settle(OURS, THEIRS)


@pytest.mark.slow
def test_another_password_is_counted_and_not_heard(both: Both) -> None:
    case = next(case for case in CASES if case.kind.name == "v2ah" and not case.ours_is_master)
    wrong = replace(case.ours(), authentication=Authentication(AuthenticationType.AH, b"other"))
    both.ours.reload(Configuration(tuple(wrong if each is case else each.ours() for each in CASES)))
    until(
        "the signature is refused",
        lambda: both.ours.states()[case.name]["rejected"].get("AUTH_FAILURE", 0) >= 2,
    )
    until("both are master, for neither hears the other", lambda: case.address in both.wire.hosts[0].holds())
    both.ours.reload(CONFIGURATION)
    both.settle(OURS, THEIRS)
