"""`sysctl`: the VIP on lo, and kernel parameters that keep ARP silent about it.

For direct routing every real server must take packets for the VIP, yet only the director may
answer when somebody asks who has it. By itself Linux answers ARP for any address it has, on
whatever interface it is asked:

- `arp_ignore` 1: answer only for addresses of the interface that was asked on. lo is never asked.
- `arp_announce` 2: when asking for others, never give the VIP as one's own address, because
  whoever hears that believes it.

For both the kernel takes the greater of the values of `all` and of the interface. IPv6's
neighbour discovery answers only for addresses of the interface asked on, and gives only those.

Answers leave with the VIP as their source, because that is where the connection came to. The
address itself brings the local route that has packets for it taken. Its scope `host` (in IPv6, that it is
deprecated) keeps the kernel from choosing it for connections that the real server opens itself.
"""

from __future__ import annotations

from directrix.realserver.carrying import check_loopback
from directrix.realserver.task import Task
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.setting import Setting, of_interface


def facts(task: Task) -> list[Fact]:
    """What shall be so; the parameters come first, so that nobody hears of the VIP meanwhile."""
    check_loopback(task)
    wanted: list[Fact] = []
    if task.vip.version == 4:
        for interface in ("all", "lo", *task.interfaces):
            # 2 answers only askers of the same network, besides: as silent
            wanted.append(_setting(interface, "arp_ignore", "1", also=("2",)))
            wanted.append(_setting(interface, "arp_announce", "2"))
    return [*wanted, OwnAddress(str(task.vip), "lo", "host")]


def _setting(interface: str, name: str, value: str, also: tuple[str, ...] = ()) -> Setting:
    covered_by = of_interface("ipv4", "all", name) if interface != "all" else ""
    return Setting(of_interface("ipv4", interface, name), value, also, covered_by)
