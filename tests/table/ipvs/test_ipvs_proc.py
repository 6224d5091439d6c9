"""What IPVS tells under /proc/net, as recorded from Linux 6.1."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from directrix.lvs import Connection, ConnectionFlags, Counters, Rates
from directrix.table.ipvs.proc import read_connections, read_totals

TITLES = b"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
V4 = b"0A000001 C67A 0A000001 0050 0A00000B 0050"
NET6 = b"fd00:0000:0000:0000:0000:0000:0000:"

CIP, VIP, RIP = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.1"), IPv4Address("10.0.0.11")
VIP6, RIP6 = IPv6Address("fd00::1"), IPv6Address("fd00::12")

TEMPLATE, INACTIVE = ConnectionFlags.TEMPLATE, ConnectionFlags.INACTIVE

TOTALS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       9        9        A              38A         100000432

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       1        1        1               40               4B

"""


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (
            b"TCP " + V4 + b" CLOSE             3\n",
            Connection(6, CIP, 50810, VIP, 80, RIP, 80, "CLOSE", 3, INACTIVE),
        ),
        (b"TCP " + V4 + b" ESTABLISHED     899\n", Connection(6, CIP, 50810, VIP, 80, RIP, 80, "ESTABLISHED", 899)),
        (b"SCTP " + V4 + b" INIT1            3\n", Connection(132, CIP, 50810, VIP, 80, RIP, 80, "INIT1", 3, INACTIVE)),
        (
            b"UDP %s0001 E0E7 %s0001 0035 %s0012 0035 UDP               0\n" % (NET6, NET6, NET6),
            Connection(17, VIP6, 57575, VIP6, 53, RIP6, 53, "UDP", 0, INACTIVE),
        ),
        (
            b"UDP %s0000 0000 %s0001 0035 0A00000B 0035 NONE             53\n" % (NET6, NET6),
            Connection(17, IPv6Address("fd00::"), 0, VIP6, 53, RIP, 53, "NONE", 53, TEMPLATE),
        ),
        (
            b"UDP 0A000001 0000 0A000001 13C4 0A00000B 13C4 NONE             53 sip call2@here\n",
            Connection(17, CIP, 0, VIP, 5060, RIP, 5060, "NONE", 53, TEMPLATE, "sip", "call2@here"),
        ),
        (
            b"UDP 0A000001 0000 0A000001 13C4 0A00000B 13C4 ASSURED          53 sip \xffcall\x85@h\n",
            Connection(17, CIP, 0, VIP, 5060, RIP, 5060, "ASSURED", 53, TEMPLATE, "sip", "\\xffcall\\x85@h"),
        ),
        (
            b"IP  0A000000 0000 00000005 0000 0A00000B 0000 ASSURED         360\n",
            Connection(0, IPv4Address("10.0.0.0"), 0, IPv4Address("0.0.0.5"), 0, RIP, 0, "ASSURED", 360, TEMPLATE),
        ),
        (
            b"TCP 0A000001 0000 0A000001 0014 0A00000B 0014 LISTEN          120\n",
            Connection(6, CIP, 0, VIP, 20, RIP, 20, "LISTEN", 120, INACTIVE | ConnectionFlags.NO_CLIENT_PORT),
        ),
        (
            b"IP_50 " + V4 + b" NONE             53\n",
            Connection(50, CIP, 50810, VIP, 80, RIP, 80, "NONE", 53, INACTIVE),
        ),
    ],
    ids=["TCP", "active", "SCTP", "IPv6", "template", "engine", "no text", "mark", "without port", "other protocol"],
)
def test_an_entry_is_read(line: bytes, entry: Connection) -> None:
    assert list(read_connections([TITLES, line])) == [entry]


@pytest.mark.parametrize("lines", [[], [TITLES]])
def test_an_empty_list_has_no_entries(lines: list[bytes]) -> None:
    assert list(read_connections(lines)) == []


@pytest.mark.parametrize(
    "line",
    [b"\n", b"TCP " + V4 + b"\n", b"XYZ " + V4 + b" NONE 1\n", b"TCP " + V4.replace(b"0050", b"x") + b" NONE 1\n"],
)
def test_a_line_that_is_no_entry_is_told(line: bytes) -> None:
    with pytest.raises(ValueError, match="no entry of IPVS"):
        list(read_connections([TITLES, line]))


def test_totals_and_rates_are_read() -> None:
    assert read_totals(TOTALS) == (Counters(9, 9, 10, 0x38A, 0x100000432), Rates(1, 1, 1, 0x40, 0x4B))


def test_totals_cut_off_are_told() -> None:
    with pytest.raises(ValueError, match="need six"):
        read_totals(TOTALS[:200])
