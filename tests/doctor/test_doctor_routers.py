"""What is wrong with a virtual router, judged from what its director says and what was heard on the wire: made up."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from directrix.doctor.adverts import Heard, parse
from directrix.doctor.daemon import Rejected, Router, read_vrrp
from directrix.doctor.routers import Evidence, Kind, Trouble, examine
from directrix.vrrp.datagram import build_inet, build_inet6
from directrix.vrrp.packet import Advertisement, encode

VIP, OTHER_VIP = ip_address("10.0.0.100"), ip_address("10.0.0.200")
OURS, PEER, THIRD = (ip_address(f"10.0.0.{number}") for number in (1, 2, 3))
UNTIL = 100.0

MASTER = Router(
    name="VI",
    interface="eth0",
    version=3,
    family=4,
    vrid=51,
    state="MASTER",
    base_priority=150,
    priority=150,
    interval=0.2,
    source=OURS,
    master=None,
    master_priority=0,
    faults=(),
    waiting=(),
    addresses=(VIP,),
    heard=0,
    rejected={},
    last_rejected=None,
    send_errors=0,
)
BACKUP = replace(MASTER, state="BACKUP", priority=100, source=PEER, master=OURS, master_priority=150)


def advert(
    source: object = PEER, priority: int = 100, at: float = UNTIL, vrid: int = 51, addresses: object = (VIP,)
) -> Heard:
    said = Advertisement(3, vrid, priority, 20, addresses)  # type: ignore[arg-type]
    return Heard(at, "eth0", bytes(6), source, ip_address("224.0.0.18"), 255, False, said)  # type: ignore[arg-type]


def seen(before: Router, after: Router, *adverts: Heard) -> list[Trouble]:
    return examine(Evidence(before, after, adverts, UNTIL))


def kinds(troubles: list[Trouble]) -> list[Kind]:
    return [trouble.kind for trouble in troubles]


def refused(router: Router, cause: str, source: object = PEER) -> Router:
    rejected = Rejected(0.0, str(source), cause, "because")
    return replace(router, rejected={cause: sum(router.rejected.values()) + 2}, last_rejected=rejected)


class TestAllIsWell:
    def test_a_master_that_hears_nobody(self) -> None:
        assert seen(MASTER, MASTER) == []

    def test_a_backup_that_hears_its_master(self) -> None:
        adverts = [advert(OURS, 150, UNTIL - back) for back in (0.4, 0.2, 0.0)]
        assert seen(BACKUP, replace(BACKUP, heard=3), *adverts) == []

    def test_adverts_of_our_own_that_a_switch_sends_back_say_nothing(self) -> None:
        assert seen(MASTER, MASTER, advert(OURS, 150), advert(OURS, 150)) == []

    def test_a_master_that_resigned_meanwhile_is_none(self) -> None:
        told = (advert(at=UNTIL - 0.2), advert(priority=0))
        assert seen(MASTER, replace(MASTER, heard=2), *told) == []

    def test_one_that_fell_silent_in_time_has_given_way(self) -> None:
        assert seen(MASTER, replace(MASTER, heard=1), advert(at=UNTIL - 1.0)) == []

    def test_other_routers_have_other_ids(self) -> None:
        assert (
            seen(MASTER, MASTER, advert(vrid=7, addresses=(OTHER_VIP,)), advert(vrid=7, addresses=(OTHER_VIP,))) == []
        )

    def test_what_was_refused_before_is_past(self) -> None:
        past = refused(MASTER, "ip_ttl")
        assert seen(past, past) == []


class TestTwoMasters:
    def test_adverts_that_are_on_the_wire_and_not_at_the_director_are_kept_back_by_rules(self) -> None:
        [trouble] = seen(MASTER, MASTER, advert(at=UNTIL - 0.2), advert())
        assert (trouble.kind, trouble.two_masters) == (Kind.KEPT_BACK, True)
        assert "10.0.0.2 (priority 100) arrive at eth0, and not at the director: both are master" in trouble.said

    def test_a_backup_that_hears_nothing_is_told_before_it_takes_over(self) -> None:
        [trouble] = seen(BACKUP, BACKUP, advert(OURS, 150, UNTIL - 0.2), advert(OURS, 150))
        assert (trouble.kind, trouble.two_masters) == (Kind.KEPT_BACK, False)

    def test_one_that_is_heard_and_goes_on_does_not_heed_ours(self) -> None:
        [trouble] = seen(MASTER, replace(MASTER, heard=2), advert(at=UNTIL - 0.2), advert())
        assert (trouble.kind, trouble.two_masters) == (Kind.DEAF, True)

    def test_of_one_advert_alone_that_nobody_counted_nothing_is_said(self) -> None:
        assert seen(MASTER, MASTER, advert()) == []

    def test_who_has_just_taken_over_waits_for_the_other_one_to_give_way(self) -> None:
        assert seen(BACKUP, replace(MASTER, heard=1), advert()) == []

    @pytest.mark.parametrize("cause", ["authentication_failure", "version", "checksum", "ip_ttl", "unicast"])
    def test_what_the_director_refuses_is_told_with_its_reason(self, cause: str) -> None:
        [trouble] = seen(MASTER, refused(MASTER, cause), advert(at=UNTIL - 0.2), advert())
        assert (trouble.kind, trouble.two_masters, trouble.cause) == (Kind.REFUSED, True, cause)
        assert trouble.said == "10.0.0.2 (priority 100) is not heeded: because: both are master"

    def test_other_addresses_are_listed(self) -> None:
        more = advert(addresses=(VIP, OTHER_VIP))
        [trouble] = seen(MASTER, refused(MASTER, "address_list"), more, more)
        assert "because (it has 10.0.0.100, 10.0.0.200): both are master" in trouble.said

    def test_a_third_one_sees_both(self) -> None:
        told = (advert(OURS, 150), advert(THIRD, 120))
        [trouble] = seen(BACKUP, replace(BACKUP, heard=2), *told)
        assert trouble.kind is Kind.RIVALS
        assert "10.0.0.1 (priority 150) and 10.0.0.3 (priority 120) are both master" in trouble.said

    def test_the_same_addresses_under_another_id(self) -> None:
        [trouble] = seen(MASTER, MASTER, advert(vrid=52), advert(vrid=52))
        assert (trouble.kind, trouble.two_masters) == (Kind.OTHER_ID, True)
        assert "10.0.0.2 advertises 10.0.0.100 as virtual router 52, and this director as 51" in trouble.said


class TestOthersOnTheWire:
    def test_another_cluster_with_our_id_is_told_however_it_is_refused(self) -> None:
        foreign = advert(addresses=(OTHER_VIP,))
        [trouble] = seen(MASTER, refused(MASTER, "address_list"), foreign, foreign)
        assert (trouble.kind, trouble.two_masters) == (Kind.FOREIGN, False)
        assert "uses virtual router id 51 for other addresses (10.0.0.200)" in trouble.said

    def test_two_owners(self) -> None:
        ours = replace(BACKUP, base_priority=255, priority=254, source=OURS)
        [trouble] = seen(ours, replace(ours, heard=1), advert(priority=255))
        assert (trouble.kind, trouble.two_masters) == (Kind.OWNERS, False)

    def test_bad_packets_of_whom_nothing_else_is_heard(self) -> None:
        [trouble] = seen(MASTER, refused(MASTER, "packet_length", THIRD))
        assert (trouble.kind, trouble.said) == (Kind.BROKEN, "adverts from 10.0.0.3 are not heeded: because")


class TestOurselves:
    def test_a_fault_is_told_with_its_reasons_and_nothing_else(self) -> None:
        fault = replace(MASTER, state="FAULT", faults=("eth0 is down", "script check"))
        [trouble] = seen(MASTER, fault, advert(), advert())
        assert trouble.said == "in FAULT, it takes no part: eth0 is down; script check"

    def test_who_has_not_begun_says_what_it_waits_for(self) -> None:
        [trouble] = seen(MASTER, replace(MASTER, state="INITIALIZE", waiting=("script check",)))
        assert (trouble.kind, trouble.said) == (Kind.WAITING, "it has not begun: it waits for script check")

    def test_adverts_that_cannot_be_sent(self) -> None:
        assert kinds(seen(MASTER, replace(MASTER, send_errors=4))) == [Kind.UNSENT]


class TestHearing:
    def test_an_advert_is_read_from_its_frame(self) -> None:
        said = Advertisement(2, 51, 100, 100, (VIP,), 1, b"secret\0\0")
        group = ip_address("224.0.0.18")
        packet = build_inet(encode(said, OURS, group), OURS, group, identification=1)  # type: ignore[arg-type]
        frame = bytes.fromhex("01005e000012 020000000001 0800") + packet
        heard = parse(frame + bytes(12), "eth0", 1.0)  # padded, as short frames are
        assert heard is not None
        assert (heard.source, heard.ttl, heard.signed, heard.advert) == (OURS, 255, False, said)

    def test_one_with_an_authentication_header_is_signed(self) -> None:
        said = Advertisement(2, 51, 100, 100, (VIP,), 2, bytes(8))
        group = ip_address("224.0.0.18")
        packet = build_inet(
            encode(said, OURS, group),
            OURS,
            group,
            identification=1,
            key=b"secret\0\0",
            sequence=1,  # type: ignore[arg-type]
        )
        heard = parse(bytes(12) + b"\x08\x00" + packet, "eth0", 1.0)
        assert heard is not None
        assert heard.signed

    def test_over_ipv6_too(self) -> None:
        source, group = ip_address("fe80::1"), ip_address("ff02::12")
        said = Advertisement(3, 51, 100, 20, (ip_address("fe80::100"),))
        packet = build_inet6(encode(said, source, group), source, group)  # type: ignore[arg-type]
        heard = parse(bytes(12) + b"\x86\xdd" + packet, "eth0", 1.0)
        assert heard is not None
        assert (heard.source, heard.family, heard.advert) == (source, 6, said)

    @pytest.mark.parametrize("packet", ["", "45", "45000014" + "00" * 16, "6" + "0" * 79])
    def test_what_is_none_is_nothing(self, packet: str) -> None:
        kind = b"\x08\x00" if packet.startswith("4") else b"\x86\xdd"
        assert parse(bytes(12) + kind + bytes.fromhex(packet), "eth0", 1.0) is None


def test_what_the_director_tells_is_read() -> None:
    told = {
        "instances": [
            {
                "name": "VI", "group": "", "interface": "eth0", "family": "inet", "vrid": 51, "version": 3,
                "state": "MASTER", "since": 0.0, "base_priority": 150, "priority": 150, "interval": 0.2,
                "source": "10.0.0.1", "master": None, "master_priority": 0, "master_heard": 0.0, "faults": [],
                "waiting": [], "addresses": ["10.0.0.100/32"],
                "statistics": {
                    "advertisements_received": 0, "advertisements_sent": 9, "send_errors": 0, "rejected": {},
                    "last_rejected": None,
                },
            }
        ],
        "strangers": [
            {"interface": "eth0", "family": "inet6", "vrid": 7, "count": 3, "source": "fe80::1", "at": 0.0}
        ],
    }  # fmt: skip
    found = read_vrrp(lambda path: told)
    assert found.routers == (MASTER,)
    assert [(each.family, each.vrid) for each in found.strangers] == [(6, 7)]
    assert found.router_of(VIP) == MASTER
    assert found.router_of(OTHER_VIP) is None
    assert read_vrrp(lambda path: None).routers == ()
