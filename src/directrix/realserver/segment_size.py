"""Clamping the segment size that a real server tells clients, so that what they send fits into the tunnel.

Clients send as much in a packet as the server's SYN-ACK allows, and that goes past the director: here is the only place
where it can be told. (A client's own SYN tells what the server may send, and that goes by no tunnel.) The rule only
ever lowers it.
"""

from __future__ import annotations

from collections.abc import Callable

from directrix.system.facts.fact import Fact
from directrix.system.facts.rules import Chain, NftTable, XtablesRule, XtablesTable
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip

OUTER = {4: 20, 6: 40}
"""What an outer IP header takes."""

_HEADERS = {4: 40, 6: 60}
"""What TCP and IP headers take inside."""

LEAST, MOST = 536, 65495
"""Of TCP over IPv4: what everybody takes, and what is the most."""

AUTO, OFF = "auto", "off"


def segment_size(vip: Vip, mtu: int, overhead: int) -> int:
    """The largest segment whose packet fits into a tunnel of so much overhead, on a way of this MTU."""
    return max(LEAST, mtu - overhead - _HEADERS[vip.version])


def read_clamp(text: str) -> int | None:
    """The size a person wrote; 0 for what fits, None for no clamping.

    Raises:
        HostError: it is none.
    """
    if text in ("", OFF):
        return None
    if text == AUTO:
        return 0
    if not text.isascii() or not text.isdigit() or not LEAST <= int(text) <= MOST:
        raise HostError(f"{text!r} is no segment size", f"write a number from {LEAST} to {MOST}, {AUTO} or {OFF}")
    return int(text)


def facts(vip: Vip, size: int, choose: Callable[[dict[str, str], str], str]) -> list[Fact]:
    """The rule, by nft, or where there is none by iptables.

    Raises:
        HostError: there is neither.
    """
    other = "iptables" if vip.version == 4 else "ip6tables"
    program = choose({"nft": "nftables", other: "iptables"}, "clamping the segment size")
    return by_nft(vip, size) if program == "nft" else by_iptables(vip, size, other)


def by_nft(vip: Vip, size: int) -> list[Fact]:
    """The rule as a table of nftables."""
    family = "ip" if vip.version == 4 else "ip6"
    rule = f"{family} saddr {vip} tcp flags syn tcp option maxseg size set {size}"
    chain = Chain("output", "type filter hook output priority -150", (rule,))
    return [NftTable(family, f"directrix_mss_{str(vip).replace(':', '_')}", (chain,))]


def by_iptables(vip: Vip, size: int, program: str) -> list[Fact]:
    """The same for iptables or ip6tables."""
    of_syns = ("-p", "tcp", "-m", "tcp", "--tcp-flags", "SYN", "SYN")
    words = ("-s", f"{vip}/{vip.max_prefixlen}", *of_syns, "-j", "TCPMSS", "--set-mss", str(size))
    return [XtablesTable(program, "mangle"), XtablesRule(program, "mangle", "OUTPUT", words)]
