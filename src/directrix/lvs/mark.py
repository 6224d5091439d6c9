"""Rules that give packets a firewall mark.

directrix's data plane comes before netfilter, so marks that netfilter would give come too late for
it: rules like these give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from directrix.lvs.addresses import Address, Family
from directrix.lvs.service import Protocol, ServiceKey

Network = IPv4Network | IPv6Network

HIGHEST_PORT = 65535
HIGHEST_MARK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class MarkMatch:
    """Which packets a rule is for: what identifies it.

    Attributes:
        network: their destination.
        protocol: their protocol; None for every one that can carry a virtual service.
        first_port, last_port: their destination ports, both included; every port by default.
    """

    network: Network
    protocol: Protocol | None = None
    first_port: int = 0
    last_port: int = HIGHEST_PORT

    @property
    def family(self) -> Family:
        """The address family of its packets."""
        return Family.INET if self.network.version == 4 else Family.INET6

    @property
    def every_port(self) -> bool:
        """Whether ports make no difference."""
        return self.first_port == 0 and self.last_port == HIGHEST_PORT

    @property
    def specificity(self) -> tuple[int, bool, int]:
        """The greatest of those a packet fits gives the mark: longer prefix, named protocol, fewer ports."""
        return (self.network.prefixlen, self.protocol is not None, self.first_port - self.last_port)

    def fits(self, protocol: Protocol, address: Address, port: int) -> bool:
        """Whether a packet to this destination is one of those."""
        return (
            self.protocol in (None, protocol)
            and self.first_port <= port <= self.last_port
            and address.version == self.network.version
            and address in self.network
        )

    def __str__(self) -> str:
        name = "every protocol" if self.protocol is None else self.protocol.name
        return f"{name} {destination(self)}"


@dataclass(frozen=True, slots=True)
class MarkRule:
    """Packets that fit `match` have the firewall mark `mark`, 1 to 4294967295."""

    match: MarkMatch
    mark: int

    @property
    def service(self) -> ServiceKey:
        """The key of the firewall-mark service its packets are for."""
        return ServiceKey.mark(self.mark, self.match.family)

    def __str__(self) -> str:
        return f"{self.match} mark {self.mark}"


def network_text(network: Network) -> str:
    """`ADDRESS/PREFIX`, without the prefix if it is a single address."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def ports_text(match: MarkMatch) -> str:
    """`PORT` or `FIRST-LAST`; empty for every port."""
    if match.every_port:
        return ""
    return str(match.first_port) if match.first_port == match.last_port else f"{match.first_port}-{match.last_port}"


def destination(match: MarkMatch) -> str:
    """Addresses and ports as every listing prints them; IPv6 in brackets where a port follows."""
    network, ports = match.network, ports_text(match)
    if not ports:
        return network_text(network)
    address, slash, prefix = network_text(network).partition("/")
    bracketed = f"[{address}]" if network.version == 6 else address
    return f"{bracketed}{slash}{prefix}:{ports}"
