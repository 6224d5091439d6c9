"""Which packets are heard: one that is right, and for every cause one that is right but for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from vrrp_recorded import (
    AH,
    AH_UNICAST,
    ALL,
    PASS,
    VERSION_3,
    VERSION_3_UNICAST,
    Recorded,
    named,
    received,
)

from directrix.lvs.addresses import Family
from directrix.vrrp.admission import Admission
from directrix.vrrp.bad_packet import BadPacket, Cause
from directrix.vrrp.configuration import Instance
from directrix.vrrp.datagram import Datagram, build_inet, parse_inet, sign
from directrix.vrrp.packet import Advertisement, decode, encode
from directrix.vrrp.values import Authentication, AuthenticationType, OldChecksum, Peer, VirtualAddress

STRANGER = ip_address("10.9.0.77")


def cause_of(instance: Instance, datagram: Datagram, own: tuple[IPv4Address, ...] = ()) -> Cause:
    with pytest.raises(BadPacket) as refused:
        Admission(instance).admit(datagram, own)
    assert str(refused.value), "a cause is explained"
    return refused.value.cause


def sent_otherwise(recorded: Recorded, **changes: object) -> Datagram:
    """The recorded datagram with another advert in it, summed rightly."""
    advert = replace(decode(received(recorded).message, Family.INET), **changes)  # type: ignore[arg-type]
    return replace(received(recorded), message=encode(advert, recorded.source, recorded.destination))


@named
def test_what_keepalived_sends_is_heard(recorded: Recorded) -> None:
    assert Admission(recorded.instance).admit(received(recorded)).priority == 255


CASES: list[tuple[Cause, Callable[[], tuple[Instance, Datagram]]]] = [
    (Cause.TTL, lambda: (VERSION_3.instance, replace(received(VERSION_3), ttl=254))),
    (
        Cause.TTL,
        lambda: (
            replace(VERSION_3_UNICAST.instance, peers=(Peer(VERSION_3_UNICAST.source, max_ttl=64),)),
            received(VERSION_3_UNICAST),
        ),
    ),
    (Cause.LENGTH, lambda: (VERSION_3.instance, replace(received(VERSION_3), message=VERSION_3.message[:-4]))),
    (Cause.VERSION, lambda: (replace(PASS.instance, version=3, authentication=None), received(PASS))),
    (Cause.VERSION, lambda: (replace(VERSION_3.instance, version=2, interval=100), received(VERSION_3))),
    (Cause.TYPE, lambda: (VERSION_3.instance, replace(received(VERSION_3), message=b"\x33" + VERSION_3.message[1:]))),
    (Cause.VRID, lambda: (VERSION_3.instance, sent_otherwise(VERSION_3, vrid=99))),
    (Cause.AUTH_HEADER, lambda: (PASS.instance, received(AH))),
    (Cause.AUTH_HEADER, lambda: (AH.instance, sent_otherwise(PASS, vrid=AH.instance.vrid))),
    (Cause.AUTH_TYPE, lambda: (PASS.instance, sent_otherwise(PASS, auth_type=7))),
    (Cause.AUTH_MISMATCH, lambda: (PASS.instance, sent_otherwise(PASS, auth_type=0))),
    (Cause.AUTH_MISMATCH, lambda: (replace(PASS.instance, authentication=None), received(PASS))),
    (Cause.AUTH_FAILURE, lambda: (PASS.instance, sent_otherwise(PASS, auth_data=b"wrong\0\0\0"))),
    (
        Cause.AUTH_FAILURE,
        lambda: (
            replace(AH.instance, authentication=Authentication(AuthenticationType.AH, b"wrong")),
            received(AH),
        ),
    ),
    (Cause.INTERVAL, lambda: (PASS.instance, sent_otherwise(PASS, interval=200))),
    (
        Cause.CHECKSUM,
        lambda: (
            VERSION_3.instance,
            replace(received(VERSION_3), message=VERSION_3.message[:2] + b"\x64" + VERSION_3.message[3:]),
        ),
    ),
    (
        Cause.CHECKSUM,
        lambda: (PASS.instance, replace(received(PASS), message=PASS.message[:2] + b"\x64" + PASS.message[3:])),
    ),
    (Cause.ADDRESSES, lambda: (VERSION_3.instance, sent_otherwise(VERSION_3, addresses=(STRANGER,)))),
    (Cause.ADDRESSES, lambda: (VERSION_3.instance, sent_otherwise(VERSION_3, addresses=()))),
    (Cause.CAST, lambda: (replace(VERSION_3.instance, peers=(Peer(STRANGER),)), received(VERSION_3))),
    (Cause.CAST, lambda: (replace(VERSION_3_UNICAST.instance, peers=()), received(VERSION_3_UNICAST))),
    (
        Cause.PEER,
        lambda: (
            replace(VERSION_3_UNICAST.instance, peers=(Peer(STRANGER),), check_unicast_source=True),
            received(VERSION_3_UNICAST),
        ),
    ),
]


@pytest.mark.parametrize(("cause", "case"), CASES, ids=[cause.name for cause, _ in CASES])
def test_a_packet_is_refused_by_the_cause_it_has(cause: Cause, case: Callable[[], tuple[Instance, Datagram]]) -> None:
    instance, datagram = case()
    assert cause_of(instance, datagram) is cause


def test_every_cause_is_tested_here() -> None:
    here = {cause for cause, _ in CASES} | {Cause.OWN, Cause.REPLAY}
    assert here == set(Cause)


def test_our_own_advert_that_comes_back_is_not_heard() -> None:
    assert cause_of(VERSION_3.instance, received(VERSION_3), (IPv4Address("10.9.0.1"),)) is Cause.OWN


def test_a_signed_advert_is_heard_once() -> None:
    for recorded in (AH, AH_UNICAST):
        admission = Admission(recorded.instance)
        admission.admit(received(recorded))
        with pytest.raises(BadPacket) as refused:
            admission.admit(received(recorded))
        assert refused.value.cause is Cause.REPLAY


def test_a_signature_for_another_sender_is_not_accepted() -> None:
    message = received(AH).message
    raw = build_inet(message, STRANGER, IPv4Address("224.0.0.18"), identification=1, key=b"secret\0\0", sequence=9)
    Admission(AH.instance).admit(parse_inet(raw))
    forged = bytearray(raw)
    forged[24:28] = bytes(4)
    forged[32:44] = sign(bytes(forged), b"secret\0\0", unicast=False)
    assert cause_of(AH.instance, parse_inet(bytes(forged))) is Cause.AUTH_FAILURE


def test_a_bad_packet_uses_no_sequence_number_up() -> None:
    admission = Admission(AH.instance)
    with pytest.raises(BadPacket):
        admission.admit(replace(received(AH), message=AH.message))
    admission.admit(received(AH))


def test_unicast_of_a_peer_that_sums_in_the_old_way_is_heard_and_answered_alike() -> None:
    advert = decode(received(VERSION_3_UNICAST).message, Family.INET)
    old = encode(advert, VERSION_3_UNICAST.source, IPv4Address("224.0.0.18"))
    datagram = replace(received(VERSION_3_UNICAST), message=old)
    admission = Admission(VERSION_3_UNICAST.instance)
    admission.admit(datagram)
    assert admission.old_checksum
    instance = VERSION_3_UNICAST.instance
    assert cause_of(replace(instance, old_checksum=OldChecksum.NEVER), datagram) is Cause.CHECKSUM
    Admission(replace(instance, old_checksum=OldChecksum.ALWAYS)).admit(datagram)
    always = replace(instance, old_checksum=OldChecksum.ALWAYS)
    assert cause_of(always, received(VERSION_3_UNICAST)) is Cause.CHECKSUM


def test_addresses_are_compared_once_a_master_if_asked() -> None:
    others = sent_otherwise(VERSION_3, addresses=(STRANGER,))
    admission = Admission(replace(VERSION_3.instance, skip_check_addresses=True))
    with pytest.raises(BadPacket):
        admission.admit(others)
    admission.admit(received(VERSION_3))
    admission.admit(others)


def test_addresses_may_come_in_another_order() -> None:
    turned = replace(AH.instance, addresses=tuple(reversed(AH.instance.addresses)))
    Admission(turned).admit(received(AH))


def test_ipv6_in_version_2_has_no_authentication_data() -> None:
    instance = Instance(
        "V2over6",
        "eth0",
        9,
        family=Family.INET6,
        addresses=(VirtualAddress(ip_address("fe80::9"), 64),),
    )
    source, group = ip_address("fe80::1"), ip_address("ff02::12")
    message = encode(Advertisement(2, 9, 100, 100, instance.advertised), source, group)
    assert len(message) == 8 + 16
    assert Admission(instance).admit(Datagram(source, group, 255, message)).interval == 100


def test_there_is_a_recorded_datagram_of_each_kind() -> None:
    assert {(r.instance.version, r.instance.family, bool(r.instance.peers)) for r in ALL} >= {
        (2, Family.INET, False),
        (2, Family.INET, True),
        (3, Family.INET, False),
        (3, Family.INET, True),
        (3, Family.INET6, False),
    }
