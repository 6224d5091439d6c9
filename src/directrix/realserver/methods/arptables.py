"""`arptables`: the VIP on lo, and rules that filter ARP, for hosts whose kernel parameters shall stay as they are.

Requests for the VIP are dropped. Where the VIP would stand as the sender of our own ARP packets,
the interface's own address is put in its place: who asks with the VIP teaches the others that it
is here. The rules are in nftables' arp family, or where there is no nft, in arptables. IPv6
needs no rules, see the method `sysctl`.
"""

from __future__ import annotations

from directrix.realserver.carrying import check_loopback
from directrix.realserver.task import Task
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.rules import Chain, NftTable, XtablesRule, XtablesTable
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip


def facts(task: Task) -> list[Fact]:
    """What shall be so; the rules come first, so that nobody hears of the VIP meanwhile."""
    check_loopback(task)
    address = OwnAddress(str(task.vip), "lo", "host")
    if task.vip.version == 6:
        return [address]
    instead = {interface: _own_address(task, interface) for interface in task.interfaces}
    program = task.choose({"nft": "nftables", "arptables": "arptables"}, "the method arptables")
    rules = by_nft(task.vip, instead) if program == "nft" else by_arptables(task.vip, instead)
    return [*rules, address]


def _own_address(task: Task, interface: str) -> Vip:
    own = task.host.own_address(interface, 4)
    if own is None:
        raise HostError(
            f"{interface} has no IPv4 address of its own to put in the VIP's place",
            "give it one, or use --method sysctl",
        )
    return own


def by_nft(vip: Vip, instead: dict[str, Vip]) -> list[Fact]:
    """The rules as a table of nftables; `instead` is the address to be given by each interface."""
    output = tuple(
        f'oifname "{interface}" arp saddr ip {vip} arp saddr ip set {own}' for interface, own in instead.items()
    )
    chains = (
        Chain("input", "type filter hook input priority 0", (f"arp daddr ip {vip} drop",)),
        Chain("output", "type filter hook output priority 0", output),
    )
    return [NftTable("arp", f"directrix_{vip}", chains)]


def by_arptables(vip: Vip, instead: dict[str, Vip]) -> list[Fact]:
    """The same for arptables."""
    rules: list[Fact] = [
        XtablesTable("arptables", "filter"),
        XtablesRule("arptables", "filter", "INPUT", ("-j", "DROP", "-d", str(vip))),
    ]
    for interface, own in instead.items():
        words = ("-j", "mangle", "-o", interface, "-s", str(vip), "--mangle-ip-s", str(own))
        rules.append(XtablesRule("arptables", "filter", "OUTPUT", words))
    return rules
