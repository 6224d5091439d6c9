"""Datagrams that keepalived 2.2.7 sent, and what it was told to send. IPv4 header checksums are as on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import pytest

from directrix.lvs.addresses import Address, Family
from directrix.vrrp.configuration import Instance
from directrix.vrrp.datagram import Datagram, parse_inet
from directrix.vrrp.values import Authentication, AuthenticationType, Peer, VirtualAddress


@dataclass(frozen=True, slots=True)
class Recorded:
    """A datagram: as it was, from whom to whom, and the instance it is for at the other end."""

    raw: bytes
    instance: Instance
    source: Address
    destination: Address
    sequence: int = 0
    identification: int = 2

    @property
    def message(self) -> bytes:
        return self.raw[40:] if self.instance.family is Family.INET6 else self.raw[20:]


def _virtual(*texts: str) -> tuple[VirtualAddress, ...]:
    return tuple(VirtualAddress(ip_address(text), 24) for text in texts)


_KEY = b"secret"
_SENDER, _PEER = ip_address("10.9.0.1"), ip_address("10.9.0.2")

AH = Recorded(
    bytes.fromhex(
        "45c0004400020000ff33d0a80a090001e0000012"
        "700400000a09000100000002a773e87b22c1d1f8a6d9a026"
        "2133ff020201c8ed0a0900640a0900650000000000000000"
    ),
    Instance(
        "AH",
        "eth0",
        51,
        255,
        addresses=_virtual("10.9.0.100", "10.9.0.101"),
        authentication=Authentication(AuthenticationType.AH, _KEY),
    ),
    _SENDER,
    ip_address("224.0.0.18"),
    sequence=2,
)
AH_UNICAST = Recorded(
    bytes.fromhex(
        "45c0004000020000ff33a6b40a0900010a090002"
        "700400000a090001000000028254ccfdcd35ab225c53737c"
        "2137ff010201d3530a0900690000000000000000"
    ),
    Instance(
        "AHU",
        "eth0",
        55,
        255,
        addresses=_virtual("10.9.0.105"),
        authentication=Authentication(AuthenticationType.AH, _KEY),
        peers=(Peer(_SENDER),),
    ),
    _SENDER,
    _PEER,
    sequence=2,
)
PASS = Recorded(
    bytes.fromhex("45c0002800020000ff70d0870a090001e00000122134ff010103980b0a0900667365637265740000"),
    Instance(
        "PASS",
        "eth0",
        52,
        255,
        interval=300,
        addresses=_virtual("10.9.0.102"),
        authentication=Authentication(AuthenticationType.PASS, _KEY),
    ),
    _SENDER,
    ip_address("224.0.0.18"),
)
VERSION_3 = Recorded(
    bytes.fromhex("45c0002000020000ff70d08f0a090001e00000123135ff010019daa60a090067"),
    Instance("V3", "eth0", 53, 255, version=3, interval=25, addresses=_virtual("10.9.0.103")),
    _SENDER,
    ip_address("224.0.0.18"),
)
VERSION_3_UNICAST = Recorded(
    bytes.fromhex("45c0002000020000ff70a6970a0900010a0900023136ff010032b0930a090068"),
    Instance("U3", "eth0", 54, 255, version=3, interval=50, addresses=_virtual("10.9.0.104"), peers=(Peer(_SENDER),)),
    _SENDER,
    _PEER,
)
INET6 = Recorded(
    bytes.fromhex(
        "6c000000002870fffe8000000000000018cebbfffeb8b560ff020000000000000000000000000012"
        "3138ff020064398cfe800000000000000000000000001234fd090000000000000000000000000100"
    ),
    Instance(
        "V6",
        "eth0",
        56,
        255,
        version=3,
        family=Family.INET6,
        addresses=tuple(VirtualAddress(IPv6Address(text), 64) for text in ("fe80::1234", "fd09::100")),
    ),
    ip_address("fe80::18ce:bbff:feb8:b560"),
    ip_address("ff02::12"),
)

ALL = (AH, AH_UNICAST, PASS, VERSION_3, VERSION_3_UNICAST, INET6)


named = pytest.mark.parametrize("recorded", ALL, ids=lambda recorded: recorded.instance.name)


def received(recorded: Recorded) -> Datagram:
    """It as a socket gives it."""
    if recorded.instance.family is Family.INET6:
        return Datagram(recorded.source, recorded.destination, 255, recorded.message)
    return parse_inet(recorded.raw)
