"""Accept mode (RFC 5798 section 6.1): a master that isn't the owner may be told not to take what is for the addresses.

With `accept` (keepalived's default) nothing is done. Without it packets for the virtual addresses are dropped on their
way into the host, by a table of nftables that holds them; IPv6's neighbour discovery stays, as the RFC demands. What a
data plane takes before netfilter (virtual services of directrix do) is not concerned.
"""

from __future__ import annotations

import logging

from directrix.lvs.addresses import Address, Family
from directrix.system.commands import CommandFailed, run
from directrix.vrrp.configuration import OWNER, Instance

_log = logging.getLogger("directrix.vrrp")

_TABLE = "directrix_vrrp"


class Acceptance:
    """Which virtual addresses packets are dropped for."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, Family, int], tuple[Address, ...]] = {}

    def take(self, instance: Instance) -> None:
        """An instance has its addresses in place."""
        refused = () if instance.accept or instance.priority == OWNER else _addresses(instance)
        if refused != self._refused.get(instance.key, ()):
            self._refused[instance.key] = refused
            self._write()

    def release(self, instance: Instance) -> None:
        """An instance has its addresses no more."""
        if self._refused.pop(instance.key, ()):
            self._write()

    def _write(self) -> None:
        addresses = [address for refused in self._refused.values() for address in refused]
        try:
            run(["nft", "-f", "-"], text=rules(addresses))
        except CommandFailed as failure:
            _log.error("no_accept can't be kept: %s", failure)


def _addresses(instance: Instance) -> tuple[Address, ...]:
    return tuple(virtual.address for virtual in (*instance.addresses, *instance.excluded))


def rules(addresses: list[Address]) -> str:
    """The nftables script, one transaction, that drops packets for exactly these addresses."""
    script = f"add table inet {_TABLE}\ndelete table inet {_TABLE}\n"
    lines = []
    inet = ", ".join(str(address) for address in addresses if address.version == 4)
    inet6 = ", ".join(str(address) for address in addresses if address.version == 6)
    if inet:
        lines.append(f"ip daddr {{ {inet} }} drop")
    if inet6:
        lines += ["icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept", f"ip6 daddr {{ {inet6} }} drop"]
    if not lines:
        return script
    chain = "\n".join(f"    {line}" for line in ["type filter hook input priority filter - 10", *lines])
    return f"{script}table inet {_TABLE} {{\n  chain input {{\n{chain}\n  }}\n}}\n"
