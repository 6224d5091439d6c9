"""Sets of mark rules that lie over and inside one another, and packets to try them with."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from directrix.lvs import MarkMatch, MarkRule, Protocol
from directrix.lvs.errors import TableError
from directrix.table.marks import MarkRules

_NETWORKS = """
    0.0.0.0/0 10.0.0.0/8 10.0.0.0/31 10.0.0.0/32 10.0.0.1/32 10.128.0.0/9 12.0.0.0/6
    ::/0 fd00::/8 fd00::/127 fd00::/128 fd00::1/128 fd00::1:0/112
"""
_ADDRESSES = """
    10.0.0.0 10.0.0.1 10.0.0.2 10.200.0.1 13.0.0.1 192.0.2.1
    fd00:: fd00::1 fd00::2 fd00::1:5 2001:db8::1
"""
NETWORKS = [ip_network(text) for text in _NETWORKS.split()]
ADDRESSES = [ip_address(text) for text in _ADDRESSES.split()]
BOUNDS = [0, 1, 2, 3, 5, 8, 13, 80, 443, 65534, 65535]
PORTS = sorted({port for bound in BOUNDS for port in (bound - 1, bound, bound + 1) if 0 <= port <= 65535})


@st.composite
def rules(draw: st.DrawFn) -> MarkRule:
    """A rule that makes sense by itself."""
    first, last = sorted((draw(st.sampled_from(BOUNDS)), draw(st.sampled_from(BOUNDS))))
    protocol = draw(st.sampled_from([None, None, *Protocol]))
    return MarkRule(MarkMatch(draw(st.sampled_from(NETWORKS)), protocol, first, last), draw(st.integers(1, 5)))


@st.composite
def rule_sets(draw: st.DrawFn) -> MarkRules:
    """Rules that can stand beside one another."""
    found = MarkRules()
    for rule in draw(st.lists(rules(), max_size=25)):
        with suppress(TableError):
            found.add(rule)
    return found
