"""For tests of the director: configurations as text and made ready, and work at the table without a process."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Concatenate, ParamSpec, TypeVar

from directrix.director.at_table import AtTable
from directrix.director.setup import Setup, prepare
from directrix.keepalived import loads
from directrix.lvs import Protocol, ServiceKey
from directrix.table.interface import Table

P = ParamSpec("P")
T = TypeVar("T")

VIP = IPv4Address("192.0.2.1")
KEY = ServiceKey.of(Protocol.TCP, VIP, 80)
NAME = "TCP 192.0.2.1:80"
A, B, SORRY = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.9")


def service(
    *servers: str, more: str = "", head: str = "192.0.2.1 80", method: str = "DR", scheduler: str = "rr"
) -> str:
    """A virtual server; each of `servers` is what stands behind `real_server`."""
    inside = "\n".join(f"real_server {server}" for server in servers)
    return f"virtual_server {head} {{\nlvs_sched {scheduler}\nlvs_method {method}\nprotocol TCP\n{more}\n{inside}\n}}\n"


PLAIN = service("10.0.0.1 80 { weight 1\n }", "10.0.0.2 80 { weight 2\n }")


def setup(text: str) -> Setup:
    """A configuration, made ready."""
    return prepare(loads(text).configuration)


class Here(AtTable):
    """Does it at once."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table

    async def do(self, work: Callable[Concatenate[Table, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(self.table, *args, **kwargs)
