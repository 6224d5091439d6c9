"""The veth pair through which XDP hands packets up.

What XDP can't finish it redirects into `directrix-up`; at the other end, `directrix-in`, the tc
program takes it on. A tc program behind XDP at the interface itself would do the same, but all
host traffic would pay for it; so it would for a clsact qdisc anywhere (on its way out), or for one
more XDP program on the machine (in the kernel's dispatcher), which is why there is neither.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from directrix.lvs.errors import TableUnavailable
from directrix.system import ethtool, sysctl
from directrix.system.commands import CommandFailed, ip, run
from directrix.table.xdp import libbpf

UP, IN = "directrix-up", "directrix-in"
NAMES = (UP, IN)

_MTU = 9216
"""Larger than any frame that may be handed up."""


def exists() -> bool:
    """Whether the pair is there."""
    return any(name == UP for _, name in socket.if_nameindex())


def make(data_plane: libbpf.Object) -> int:
    """Make the pair if it is not there, and attach this version's programs; answers the ifindex to redirect to.

    Raises:
        TableUnavailable: it can't be made.
    """
    try:
        if not exists():
            ip([f"link add {UP} mtu {_MTU} type veth peer name {IN} mtu {_MTU}"])
            run(["tc", "qdisc", "add", "dev", IN, "ingress"])
        for name in NAMES:
            sysctl.write(f"net/ipv6/conf/{name}/disable_ipv6", "1")
        ip([f"link set {name} arp off up" for name in NAMES])
        ethtool.set_gro(IN, True)  # without it, or an XDP program there, veth takes no redirected frames
        libbpf.tc_attach_ingress(socket.if_nametoindex(IN), data_plane.program("directrix_tc_behind"))
        return socket.if_nametoindex(UP)
    except (CommandFailed, OSError) as error:
        remove()
        raise TableUnavailable(f"the devices through which XDP hands packets up can't be made: {error}") from None


def program() -> int:
    """The id of the program at the pair's other end.

    Raises:
        OSError: the pair is gone.
    """
    return libbpf.tc_program_ingress(socket.if_nametoindex(IN))


def exchange(fd: int) -> None:
    """Put a program, given as a descriptor, in place of ours there.

    Raises:
        OSError: the pair is gone.
    """
    libbpf.tc_attach_ingress(socket.if_nametoindex(IN), fd)


def remove() -> None:
    """Remove the pair if it is there."""
    with suppress(CommandFailed):
        if exists():
            ip([f"link delete {UP}"])
