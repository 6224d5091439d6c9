"""Values and netlink's bytes, held against what ipvsadm and IPVS said to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from directrix.lvs import (
    Counters,
    Family,
    ForwardingMethod,
    Protocol,
    Rates,
    RealServer,
    SchedulerFlags,
    ServerState,
    ServiceKey,
    ServiceState,
    Timeouts,
    Tunnel,
    TunnelFlags,
    TunnelType,
    VirtualService,
)
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.system.netlink import Attributes, Malformed, attribute, attributes, nest, number
from directrix.table.ipvs import codec, family
from directrix.table.ipvs.family import Command, Daemon, Dest, Service, Stats, Top

HEADER = Path("/usr/include/linux/ip_vs.h")
GENERIC_HEADER = 4

WEB = ServiceKey.of(Protocol.TCP, IPv4Address("10.0.0.1"), 80)
SIP = ServiceKey.of(Protocol.UDP, IPv4Address("10.0.0.1"), 5060)
DNS6 = ServiceKey.of(Protocol.UDP, IPv6Address("fd00::1"), 53)
SCTP = ServiceKey.of(Protocol.SCTP, IPv4Address("10.0.0.1"), 2905)
MARK6 = ServiceKey.mark(0xFFFFFFFF, Family.INET6)

MASTER = SyncDaemon(DaemonRole.MASTER, "lo", 7, 1400, IPv4Address("224.1.2.3"), 9000, 5)


def read_recorded() -> dict[str, list[tuple[str, bytes]]]:
    """By command line what was sent (`>`) and answered (`<`)."""
    said: dict[str, list[tuple[str, bytes]]] = {}
    command = ""
    for line in Path(__file__).with_name("recorded.txt").read_text().splitlines():
        mark, _, text = line.partition(" ")
        if mark == "$":
            command = text.removeprefix("ipvsadm ")
            said[command] = []
        elif mark != "#":
            said[command].append((mark, bytes.fromhex(text)))
    return said


RECORDED = read_recorded()


def sent(command: str) -> tuple[Command, bytes]:
    """The one request of a command line: what it asks for, and its attributes."""
    (payload,) = (payload for mark, payload in RECORDED[command] if mark == ">")
    return Command(payload[0]), payload[GENERIC_HEADER:]


def answered(command: str) -> Iterator[tuple[Command, Attributes]]:
    """The answers to a command line."""
    for mark, payload in RECORDED[command]:
        if mark == "<":
            yield Command(payload[0]), attributes(payload[GENERIC_HEADER:])


def tree(content: bytes) -> dict[int, bytes | dict[int, bytes]]:
    """Attributes in no order, those of services, real servers and daemons taken apart."""
    nested = (Top.SERVICE, Top.DEST, Top.DAEMON)
    return {kind: attributes(value) if kind in nested else value for kind, value in attributes(content).items()}


def assert_within(ours: bytes, theirs: bytes) -> None:
    """Ours says nothing that theirs does not say; it may say less."""
    mine, other = tree(ours), tree(theirs)
    for kind, value in mine.items():
        told = other[kind]
        assert isinstance(value, dict)
        assert isinstance(told, dict)
        assert value.items() <= told.items()


def packed(found: Attributes) -> bytes:
    """Attributes as bytes again."""
    return b"".join(attribute(kind, value) for kind, value in found.items())


@pytest.mark.parametrize(
    ("command", "asked", "ours"),
    [
        (
            "-A -t 10.0.0.1:80 -s wrr -p 360 -M 255.255.255.0 -b flag-1,flag-3",
            Command.NEW_SERVICE,
            codec.encode_service(
                VirtualService(WEB, "wrr", SchedulerFlags.FLAG_1 | SchedulerFlags.FLAG_3, 360, 0xFFFFFF00)
            ),
        ),
        ("-E -t 10.0.0.1:80 -s rr", Command.SET_SERVICE, codec.encode_service(VirtualService(WEB, "rr"))),
        (
            "-A -u [fd00::1]:53 -s sh -p 60 -M 64 -o -b sh-fallback,sh-port",
            Command.NEW_SERVICE,
            codec.encode_service(
                VirtualService(DNS6, "sh", SchedulerFlags.FLAG_1 | SchedulerFlags.FLAG_2, 60, 64, one_packet=True)
            ),
        ),
        (
            "-A -u 10.0.0.1:5060 -s rr -p 60 --pe sip",
            Command.NEW_SERVICE,
            codec.encode_service(VirtualService(SIP, "rr", persistence=60, engine="sip")),
        ),
        (
            "-A --sctp-service 10.0.0.1:2905",
            Command.NEW_SERVICE,
            codec.encode_service(VirtualService(SCTP)),
        ),
        (
            "-A -f 4294967295 -6 -s mh",
            Command.NEW_SERVICE,
            codec.encode_service(VirtualService(MARK6, "mh", netmask=128)),
        ),
        ("--set 1000 0 7", Command.SET_CONFIG, codec.encode_timeouts(Timeouts(1000, 0, 7))),
        (
            "--start-daemon master --mcast-interface lo --syncid 7 --sync-maxlen 1400"
            " --mcast-group 224.1.2.3 --mcast-port 9000 --mcast-ttl 5",
            Command.NEW_DAEMON,
            codec.encode_daemon(MASTER),
        ),
        (
            "--start-daemon backup --mcast-interface lo --mcast-group ff02::5",
            Command.NEW_DAEMON,
            codec.encode_daemon(SyncDaemon(DaemonRole.BACKUP, "lo", group=IPv6Address("ff02::5"))),
        ),
        ("-Z", Command.ZERO, b""),
        ("-C", Command.FLUSH, b""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_is_that_of_ipvsadm(command: str, asked: Command, ours: bytes) -> None:
    theirs = sent(command)
    assert (asked, tree(ours)) == (theirs[0], tree(theirs[1]))


@pytest.mark.parametrize(
    ("command", "server"),
    [
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.11 -w 7 -x 20 -y 10",
            RealServer(IPv4Address("10.0.0.11"), 80, weight=7, upper_threshold=20, lower_threshold=10),
        ),
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.12 -i --tun-type gue --tun-port 6080 --tun-remcsum -w 0",
            RealServer(
                IPv4Address("10.0.0.12"),
                80,
                ForwardingMethod.TUNNEL,
                0,
                tunnel=Tunnel(TunnelType.GUE, 6080, TunnelFlags.REMCSUM),
            ),
        ),
        (
            "-a -t 10.0.0.1:80 -r [fd00::12]:80 -i --tun-type gre --tun-csum -w 0",
            RealServer(
                IPv6Address("fd00::12"),
                80,
                ForwardingMethod.TUNNEL,
                0,
                tunnel=Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM),
            ),
        ),
        (
            "-e -t 10.0.0.1:80 -r 10.0.0.12:80 -m -w 2147483647",
            RealServer(IPv4Address("10.0.0.12"), 80, ForwardingMethod.MASQUERADE, 0x7FFFFFFF),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_real_server_is_told_as_ipvsadm_does(command: str, server: RealServer) -> None:
    asked, theirs = sent(command)
    assert asked is (Command.SET_DEST if command.startswith("-e") else Command.NEW_DEST)
    assert tree(codec.encode_server(server))[Top.DEST] == tree(theirs)[Top.DEST]
    assert_within(codec.encode_key(WEB), theirs)


@pytest.mark.parametrize(
    ("command", "asked", "ours"),
    [
        ("-D -f 4294967295 -6", Command.DEL_SERVICE, codec.encode_key(MARK6)),
        ("-Z -t 10.0.0.1:80", Command.ZERO, codec.encode_key(WEB)),
        (
            "-d -t 10.0.0.1:80 -r 10.0.0.12:80",
            Command.DEL_DEST,
            codec.encode_key(WEB) + codec.encode_server_key(IPv4Address("10.0.0.12"), 80),
        ),
        ("--stop-daemon master", Command.DEL_DAEMON, codec.encode_role(DaemonRole.MASTER)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_only_named_is_named_as_ipvsadm_does(command: str, asked: Command, ours: bytes) -> None:
    theirs = sent(command)
    assert asked is theirs[0]
    assert_within(ours, theirs[1])


def test_the_services_listed_are_those_that_were_made() -> None:
    answers = [top for asked, top in answered("-L -n --stats") if asked is Command.NEW_SERVICE]
    found = {state.service.key: state for state in map(codec.decode_service, answers)}
    assert found == {
        WEB: ServiceState(
            VirtualService(WEB, "rr"), counters=Counters(3, 3, 3, 180, 120), rates=Rates(0, 0, 0, 17, 11)
        ),
        DNS6: ServiceState(
            VirtualService(DNS6, "sh", persistence=60, netmask=64),
            counters=Counters(3, 3, 3, 447, 591),
            rates=Rates(0, 0, 0, 42, 55),
        ),
        SIP: ServiceState(
            VirtualService(SIP, "rr", persistence=60, engine="sip"),
            counters=Counters(3, 3, 3, 279, 363),
            rates=Rates(0, 0, 0, 26, 34),
        ),
        SCTP: ServiceState(VirtualService(SCTP)),
        MARK6: ServiceState(VirtualService(MARK6, "mh", netmask=128)),
    }


def test_the_real_servers_listed_are_those_that_were_made() -> None:
    answers = [top for asked, top in answered("-L -n --stats") if asked is Command.NEW_DEST]
    mixed, web, sip, dns = (codec.decode_server(top, Family.INET) for top in answers)
    assert mixed == ServerState(
        RealServer(
            IPv6Address("fd00::12"), 80, ForwardingMethod.TUNNEL, 0, tunnel=Tunnel(TunnelType.GRE, 0, TunnelFlags.CSUM)
        )
    )
    assert web == ServerState(
        RealServer(IPv4Address("10.0.0.11"), 80, weight=7, upper_threshold=20, lower_threshold=10),
        inactive=3,
        counters=Counters(3, 3, 3, 180, 120),
        rates=web.rates,
    )
    assert (sip.persistent, sip.inactive) == (3, 3)
    assert dns.server == RealServer(IPv6Address("fd00::12"), 53)


def test_a_real_server_without_a_family_is_of_its_services() -> None:
    top = next(top for asked, top in answered("-L -n --stats") if asked is Command.NEW_DEST)
    found = attributes(top[Top.DEST])
    del found[Dest.ADDR_FAMILY]
    assert codec.decode_server({Top.DEST: packed(found)}, Family.INET6).server.address == IPv6Address("fd00::12")
    assert codec.decode_server({Top.DEST: packed(found)}, Family.INET).server.address == IPv4Address("253.0.0.0")


def test_the_numbers_are_the_narrow_ones_where_there_are_no_wide_ones() -> None:
    top = next(top for asked, top in answered("-L -n --stats") if asked is Command.NEW_SERVICE)
    found = attributes(top[Top.SERVICE])
    wide = codec.decode_service(top)
    del found[Service.STATS64]
    assert codec.decode_service({Top.SERVICE: packed(found)}) == wide


def test_numbers_beyond_32_bits_are_whole() -> None:
    top = next(top for asked, top in answered("-L -n --stats") if asked is Command.NEW_SERVICE)
    found = attributes(top[Top.SERVICE])
    found[Service.STATS64] = b"".join(number(kind, (1 << 40) + kind, 8) for kind in Stats)
    state = codec.decode_service({Top.SERVICE: packed(found)})
    totals, rates = list(Stats)[:5], list(Stats)[5:]
    assert state.counters == Counters(*((1 << 40) + kind for kind in totals))
    assert state.rates == Rates(*((1 << 40) + kind for kind in rates))


def test_timeouts_are_read() -> None:
    ((asked, top),) = answered("-L --timeout")
    assert asked is Command.SET_CONFIG
    assert codec.decode_timeouts(top) == Timeouts(1000, 120, 7)


def test_daemons_are_read() -> None:
    daemons = [codec.decode_daemon(top) for _, top in answered("-L --daemon")]
    assert daemons == [MASTER, SyncDaemon(DaemonRole.BACKUP, "lo", 0, 65487, IPv6Address("ff02::5"), 8848, 1)]


def test_the_version_and_the_size_are_read() -> None:
    top = attributes(bytes.fromhex("08000100010201000800020000100000"))
    assert codec.decode_info(top) == ((1, 2, 1), 4096)


@pytest.mark.parametrize(
    ("name", "on_the_wire"), [("fifteen-letters", b"fifteen-letters"), ("sixteen-letters-", b"sixteen-letters")]
)
def test_a_schedulers_name_is_cut_to_what_netlink_takes(name: str, on_the_wire: bytes) -> None:
    service = tree(codec.encode_service(VirtualService(WEB, name)))[Top.SERVICE]
    assert isinstance(service, dict)
    assert service[Service.SCHED_NAME] == on_the_wire + b"\0"


@pytest.mark.parametrize("weight", [-1, -0x80000000])
def test_a_negative_weight_goes_to_ipvs_to_be_refused(weight: int) -> None:
    server = tree(codec.encode_server(RealServer(IPv4Address("10.0.0.11"), 80, weight=weight)))[Top.DEST]
    assert isinstance(server, dict)
    assert int.from_bytes(server[Dest.WEIGHT], "little", signed=True) == weight


def test_a_number_too_large_for_its_attribute_is_never_cut() -> None:
    server = RealServer(IPv4Address("10.0.0.11"), 80)
    for wrong in (
        replace(server, weight=1 << 32),
        replace(server, port=1 << 16),
        replace(server, upper_threshold=1 << 32),
        replace(server, tunnel=Tunnel(TunnelType.GUE, 1 << 16)),
    ):
        with pytest.raises(OverflowError):
            codec.encode_server(wrong)


def spoilt() -> Iterator[tuple[str, Attributes]]:
    top = next(top for asked, top in answered("-L -n --stats") if asked is Command.NEW_SERVICE)
    found = attributes(top[Top.SERVICE])
    for kind in (Service.AF, Service.PROTOCOL, Service.ADDR, Service.PORT, Service.FLAGS, Service.SCHED_NAME):
        yield f"no {kind.name}", {Top.SERVICE: packed({other: found[other] for other in found if other != kind})}
    yield "no service", {}
    yield "a family unheard of", {Top.SERVICE: packed({**found, Service.AF: b"\x01\x00"})}
    yield "a protocol unheard of", {Top.SERVICE: packed({**found, Service.PROTOCOL: b"\x01\x00"})}
    yield "half an address", {Top.SERVICE: packed({**found, Service.ADDR: b"\x0a\x00"})}
    yield "cut off", {Top.SERVICE: top[Top.SERVICE][:-2]}


@pytest.mark.parametrize("top", [pytest.param(top, id=name) for name, top in spoilt()])
def test_an_answer_that_ipvs_does_not_give_is_malformed(top: Attributes) -> None:
    with pytest.raises(Malformed):
        codec.decode_service(top)


def test_a_tunnel_unheard_of_is_malformed() -> None:
    found = attributes(next(top for asked, top in answered("-L -n --stats") if asked is Command.NEW_DEST)[Top.DEST])
    with pytest.raises(Malformed, match="9 is not a valid TunnelType"):
        codec.decode_server({Top.DEST: packed({**found, Dest.TUN_TYPE: b"\x09"})}, Family.INET)


def test_a_daemon_unheard_of_is_malformed() -> None:
    with pytest.raises(Malformed):
        codec.decode_daemon(attributes(nest(Top.DAEMON, number(Daemon.STATE, 3, 4))))


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers for user space")
@pytest.mark.parametrize(
    ("numbers", "prefix"),
    [
        (Command, "IPVS_CMD"),
        (Top, "IPVS_CMD_ATTR"),
        (Service, "IPVS_SVC_ATTR"),
        (Dest, "IPVS_DEST_ATTR"),
        (Daemon, "IPVS_DAEMON_ATTR"),
        (Stats, "IPVS_STATS_ATTR"),
        (family.Info, "IPVS_INFO_ATTR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_and_numbers_are_all_those_of_the_kernels_header(numbers: type[IntEnum], prefix: str) -> None:
    (block,) = re.findall(rf"enum {{\s*{prefix}_UNSPEC\b(.*?)}};", HEADER.read_text(), re.DOTALL)
    listed = [name for name in re.findall(rf"^\s*{prefix}_(\w+),", block, re.MULTILINE) if name != "PAD"]
    assert {member.name: member.value for member in numbers} == {name: i for i, name in enumerate(listed, 1)}
