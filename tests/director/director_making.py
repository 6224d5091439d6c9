"""Configurations for tests of the director, as text and made ready."""

from __future__ import annotations

from ipaddress import IPv4Address

from directrix.director.setup import Setup, prepare
from directrix.keepalived import loads
from directrix.lvs import Protocol, ServiceKey

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
