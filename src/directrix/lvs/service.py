"""Virtual services: what clients connect to."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.lvs.addresses import Address, Family, endpoint, family_of

ALL_ONES_V4 = 0xFFFFFFFF
"""The IPv4 persistence mask that tells every client apart, as a 32-bit number."""


class Protocol(enum.IntEnum):
    """Transport protocols that can carry a virtual service, by their IP protocol number."""

    TCP = 6
    UDP = 17
    SCTP = 132


class SchedulerFlags(enum.IntFlag):
    """The three scheduler flags of IPVS (`-b`), in the bits IPVS keeps them in.

    For `sh` and `mh` FLAG_1 is *fallback* and FLAG_2 is *port*; other schedulers ignore them.
    """

    NONE = 0
    FLAG_1 = 0x08
    FLAG_2 = 0x10
    FLAG_3 = 0x20


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """What identifies a virtual service: protocol, address and port, or a firewall mark.

    A mark service has `fwmark` > 0, no protocol, no address and port 0; only its family counts.
    """

    family: Family
    protocol: Protocol | None = None
    address: Address | None = None
    port: int = 0
    fwmark: int = 0

    @classmethod
    def of(cls, protocol: Protocol, address: Address, port: int) -> ServiceKey:
        """The key of a service by address."""
        return cls(family_of(address), protocol, address, port)

    @classmethod
    def mark(cls, fwmark: int, family: Family = Family.INET) -> ServiceKey:
        """The key of a firewall-mark service. `fwmark` is 1 to 4294967295."""
        return cls(family, fwmark=fwmark)

    def __str__(self) -> str:
        if self.protocol is None or self.address is None:
            return f"FWM {self.fwmark}" + (" IPv6" if self.family is Family.INET6 else "")
        return f"{self.protocol.name} {endpoint(self.address, self.port)}"


PERSISTENCE_ENGINES = ("sip",)
"""The persistence engines of IPVS: one, which tells clients apart by SIP's Call-ID."""


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A virtual service as the operator defined it.

    Attributes:
        key: what identifies it.
        scheduler: name of the scheduling algorithm, e.g. `wlc`.
        scheduler_flags: the `-b` flags.
        persistence: persistence timeout in seconds; 0 means not persistent.
        netmask: which clients count as one for persistence. IPv4: the mask as a 32-bit number,
            not necessarily contiguous; IPv6: a prefix length from 1 to 128. Kept even when the
            service is not persistent, as IPVS does.
        one_packet: every UDP datagram is scheduled for itself (`-o`).
        engine: persistence engine (`--pe`), one of PERSISTENCE_ENGINES, empty for none.
    """

    key: ServiceKey
    scheduler: str = "wlc"
    scheduler_flags: SchedulerFlags = SchedulerFlags.NONE
    persistence: int = 0
    netmask: int = ALL_ONES_V4
    one_packet: bool = False
    engine: str = ""


def default_netmask(family: Family) -> int:
    """The netmask under which every client is its own: all ones, or /128."""
    return ALL_ONES_V4 if family is Family.INET else 128
