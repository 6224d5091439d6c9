"""A packet as the conditions of rules see it: what is known of one that is not yet here."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.system.address import Address

UNKNOWN = object()
"""The value of a field that can't be known beforehand."""

_TRANSPORTS = ("tcp", "udp", "sctp", "th")


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as rules see it: one that begins a connection, or with `answer` one that comes back.

    Attributes:
        protocol: `tcp`, `udp`, `sctp`, another one that has no ports, or `arp` for a request.
        address, port: of the service: where a packet goes to, or an answer comes from. No port: an unknown one.
        interface: by which it comes in, or an answer goes out.
        other: the client, if it is known.
        local_on: the interfaces of this host that carry the address; None if that isn't known.
        own: the address of this host that a redirection without an address leads to, if it is known.
        mark, connection_mark: netfilter's marks; UNKNOWN if a rule may have changed them.
    """

    protocol: str
    address: Address
    port: int | None
    interface: str
    answer: bool = False
    other: Address | None = None
    local_on: frozenset[str] | None = None
    own: Address | None = None
    mark: object = 0
    connection_mark: object = 0

    @property
    def family(self) -> str:
        """`ip` or `ip6`."""
        return "ip" if self.address.version == 4 else "ip6"

    @property
    def _to_a_group(self) -> bool:
        return self.address.is_multicast and not self.answer

    def field(self, protocol: str, name: str) -> object:
        """The value of a header field, UNKNOWN if it can't be known, None if this packet has no such header."""
        if protocol == "arp":
            # An answer is what this host says of itself here: a packet with its own address as the sender.
            header: dict[str, object] = {"htype": 1, "hlen": 6, "plen": 4, "ptype": "ip", "operation": "request"}
            header["saddr ip" if self.answer else "daddr ip"] = self.address
            return header.get(name, UNKNOWN)
        if protocol in ("ip", "ip6"):
            if protocol != self.family:
                return None
            own, others = ("saddr", "daddr") if self.answer else ("daddr", "saddr")
            known: dict[str, object] = {own: self.address, "protocol": self.protocol, "nexthdr": self.protocol}
            if self.other is not None:
                known[others] = self.other
            return known.get(name, UNKNOWN)
        if protocol in _TRANSPORTS:
            if protocol not in ("th", self.protocol):
                return None
            port = UNKNOWN if self.port is None else self.port
            flags = frozenset({"syn", "ack"} if self.answer else {"syn"})
            return {"sport" if self.answer else "dport": port, "flags": flags}.get(name, UNKNOWN)
        return None if protocol in ("icmp", "icmpv6") else UNKNOWN

    def meta(self, key: str) -> object:
        """What netfilter's `meta` knows of it."""
        known: dict[str, object] = {
            "l4proto": self.protocol,
            "protocol": self.family,
            "nfproto": "ipv4" if self.family == "ip" else "ipv6",
            "mark": self.mark,
            "pkttype": "multicast" if self._to_a_group else "host",
            **({"oifname": self.interface, "oif": self.interface} if self.answer else {}),
            **({} if self.answer else {"iifname": self.interface, "iif": self.interface}),
        }
        return known.get(key, UNKNOWN)

    def connection(self, key: str) -> object:
        """What connection tracking says of it."""
        known = {
            "state": "established" if self.answer else "new",
            "direction": "reply" if self.answer else "original",
            "mark": self.connection_mark,
        }
        return known.get(key, UNKNOWN)

    def route(self, result: str, of: tuple[str, ...]) -> object:
        """What netfilter's `fib` finds in the routing table: the type of our own address alone is known."""
        own = "saddr" if self.answer else "daddr"
        if result != "type" or own not in of:
            return UNKNOWN
        if self._to_a_group:
            return "multicast"
        if self.local_on is None:
            return UNKNOWN
        if "iif" in of or "oif" in of:  # of an address on another interface it says `unicast`
            return "local" if self.interface in self.local_on else "unicast"
        return "local" if self.local_on else "unicast"
