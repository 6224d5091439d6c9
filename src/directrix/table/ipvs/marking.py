"""Marks where the kernel's IPVS is the table: netfilter gives them, and this is how it is told to."""

from __future__ import annotations

from collections.abc import Sequence

from directrix.lvs import MarkMatch, MarkRule
from directrix.lvs.mark import network_text, ports_text

TABLE = "inet marks"
CHAIN = f"{TABLE} prerouting"
_MAKE = (f"add table {TABLE}", f"add chain {CHAIN} {{ type filter hook prerouting priority mangle; }}")


def expression(match: MarkMatch) -> str:
    """The packets of a match, in nft's language."""
    network, ports = match.network, ports_text(match)
    if network.prefixlen:
        where = f"{'ip' if network.version == 4 else 'ip6'} daddr {network_text(network)}"
    else:
        where = f"meta nfproto ipv{network.version}"
    if match.protocol is None:
        which = "meta l4proto { tcp, udp, sctp }" + (f" th dport {ports}" if ports else "")
    else:
        name = match.protocol.name.lower()
        which = f"{name} dport {ports}" if ports else f"meta l4proto {name}"
    return f"{where} {which}"


def adding(rule: MarkRule) -> str:
    """What nft is told for one rule more. Where several fit a packet, the one told last gives its mark."""
    return "; ".join([*_MAKE, _rule(rule)])


def replacing(rules: Sequence[MarkRule]) -> str:
    """What nft is told for these rules in place of all others, the most specific one last."""
    ordered = sorted(rules, key=lambda rule: rule.match.specificity)
    return "; ".join([*_MAKE, f"flush chain {CHAIN}", *map(_rule, ordered)])


def _rule(rule: MarkRule) -> str:
    return f"add rule {CHAIN} {expression(rule.match)} meta mark set {rule.mark}"
