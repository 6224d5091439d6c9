"""`redirect`: no VIP on the host at all; what arrives for it is redirected to the host's own address.

Nobody can hear of a VIP that isn't there, so ARP needs no silencing. A rule in PREROUTING gives
each new connection the address of the interface it came by as its destination, and connection
tracking gives the answers the VIP back. So the services must listen on every address (or on the
RIP), not on the VIP; the port stays as it is. Connection tracking costs some of a busy server's
time, and its table must be large enough.

In IPv4 the kernel must find a route to a packet's source by the same interface, or rp_filter
drops it, as with every method.
"""

from __future__ import annotations

from directrix.realserver.task import Task
from directrix.system.facts.fact import Fact
from directrix.system.facts.rules import Chain, NftTable, XtablesRule, XtablesTable
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip


def facts(task: Task) -> list[Fact]:
    """What shall be so."""
    if task.host.carriers(task.vip):
        remove = f"ip address del {task.host.carriers(task.vip)[0].address} dev lo"
        raise HostError(
            f"lo carries {task.vip}; with redirect no interface may", f"stop the other method, or `{remove}`"
        )
    for interface in task.interfaces:
        task.host.check_ipv6(task.vip, interface)
        if task.host.own_address(interface, task.vip.version) is None:
            raise HostError(
                f"{interface} has no IPv{task.vip.version} address of its own to redirect to",
                "give it one, or use --method sysctl",
            )
    other = "iptables" if task.vip.version == 4 else "ip6tables"
    program = task.choose({"nft": "nftables", other: "iptables"}, "the method redirect")
    return by_nft(task.vip) if program == "nft" else by_iptables(task.vip)


def by_nft(vip: Vip) -> list[Fact]:
    """The rule as a table of nftables."""
    family = "ip" if vip.version == 4 else "ip6"
    chain = Chain("prerouting", "type nat hook prerouting priority -100", (f"{family} daddr {vip} redirect",))
    return [NftTable(family, f"directrix_{str(vip).replace(':', '_')}", (chain,))]


def by_iptables(vip: Vip) -> list[Fact]:
    """The same for iptables or ip6tables."""
    program = "iptables" if vip.version == 4 else "ip6tables"
    words = ("-d", f"{vip}/{vip.max_prefixlen}", "-j", "REDIRECT")
    return [XtablesTable(program, "nat"), XtablesRule(program, "nat", "PREROUTING", words)]
