"""Whether a host can carry a VIP as a real server does."""

from __future__ import annotations

from directrix.realserver.task import Task
from directrix.system.host_error import HostError


def check_loopback(task: Task) -> None:
    """Take care that lo can carry the VIP, and that no other interface has it.

    Raises:
        HostError: not so.
    """
    check_nowhere_else(task)
    task.host.check_ipv6(task.vip, "lo")
    if any(link.name == "lo" and not link.up for link in task.host.links):
        raise HostError("lo is down", "set it up with `ip link set lo up`")
    for own in task.host.carriers(task.vip):
        if own.address.network.prefixlen != task.vip.max_prefixlen:
            raise HostError(
                f"lo has {own.address}, and so takes all of {own.address.network} for its own",
                f"remove it with `ip address del {own.address} dev lo`, then start again",
            )


def check_nowhere_else(task: Task) -> None:
    """Take care that the VIP is on no interface where the network would hear of it.

    Raises:
        HostError: it is.
    """
    for own in task.host.carriers(task.vip):
        if own.interface == "lo":
            continue
        remove = f"`ip address del {own.address} dev {own.interface}`"
        if own.address.network.prefixlen < task.vip.max_prefixlen:
            raise HostError(
                f"{task.vip} is this host's own address on {own.interface} ({own.address}), and no VIP",
                "give the VIP that clients ask",
            )
        raise HostError(
            f"{own.interface} carries {task.vip}, and answers whoever asks for it, as a director does",
            f"if this host shall be a real server, remove it with {remove}, then start again",
        )
