"""A packet as the conditions of rules see it: what is known of one that is not yet here."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs import Address

UNKNOWN = object()
"""The value of a field that can't be known beforehand."""

_SYNONYMS = {"th": ("tcp", "udp", "sctp")}


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as rules see it: one that begins a connection, or with `answer` one that comes back.

    Attributes:
        protocol: `tcp`, `udp`, or `arp` for a request.
        address, port: of the service: where a packet goes to, or an answer comes from.
        interface: by which it comes in, or an answer goes out.
        other: the client, if it is known.
    """

    protocol: str
    address: Address
    port: int
    interface: str
    answer: bool = False
    other: Address | None = None

    def field(self, protocol: str, name: str) -> object:
        """The value of a header field, UNKNOWN if it can't be known, None if this packet has no such header."""
        family = "ip" if self.address.version == 4 else "ip6"
        if protocol == "arp":
            # An answer is what this host says of itself here: a packet with its own address as the sender.
            header: dict[str, object] = {"htype": 1, "hlen": 6, "plen": 4, "ptype": "ip", "operation": "request"}
            header["saddr ip" if self.answer else "daddr ip"] = self.address
            return header.get(name, UNKNOWN)
        if protocol in ("ip", "ip6"):
            if protocol != family:
                return None
            own, others = ("saddr", "daddr") if self.answer else ("daddr", "saddr")
            known: dict[str, object] = {own: self.address, "protocol": self.protocol, "nexthdr": self.protocol}
            if self.other is not None:
                known[others] = self.other
            return known.get(name, UNKNOWN)
        if protocol in ("tcp", "udp", "sctp", "th"):
            if protocol != self.protocol and self.protocol not in _SYNONYMS.get(protocol, ()):
                return None
            told: dict[str, object] = {"sport": self.port} if self.answer else {"dport": self.port, "flags": "syn"}
            return told.get(name, UNKNOWN)
        return None if protocol in ("icmp", "icmpv6") else UNKNOWN

    @property
    def state(self) -> str:
        """What connection tracking says of it."""
        return "established" if self.answer else "new"

    def meta(self, key: str) -> object:
        """What netfilter's `meta` knows of it."""
        known: dict[str, object] = {
            "l4proto": self.protocol,
            "protocol": "ip" if self.address.version == 4 else "ip6",
            "nfproto": "ipv4" if self.address.version == 4 else "ipv6",
            **({"oifname": self.interface, "oif": self.interface} if self.answer else {}),
            **({} if self.answer else {"iifname": self.interface, "iif": self.interface}),
        }
        return known.get(key, UNKNOWN)
