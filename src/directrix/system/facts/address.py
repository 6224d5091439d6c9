"""An address on an interface, as a host route to itself: /32 or /128."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar

from directrix.system import addresses
from directrix.system.facts.fact import Command, shell


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address carried by an interface.

    IPv6 addresses are without duplicate address detection, so that they can be used at once, and
    deprecated: no connection of the host's own leaves with such an address, and answers still do.

    Attributes:
        address: without prefix; it is given the longest.
        interface: the name of the interface.
        scope: of an IPv4 address, `global` or `host`. An address of scope `host` is never chosen as
            the source of what the host itself begins to say to others.
    """

    address: str
    interface: str
    scope: str = "global"

    kind: ClassVar[str] = "address"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"address {self.address} {self.interface}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self._with_prefix} on {self.interface}"

    @property
    def _with_prefix(self) -> str:
        return f"{self.address}/{ip_address(self.address).max_prefixlen}"

    def now(self) -> str | None:
        """The address with the prefix it has."""
        wanted = ip_address(self.address)
        for own in addresses.addresses():
            if own.interface == self.interface and own.address.ip == wanted:
                return str(own.address)
        return None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == self._with_prefix

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self._words("add"))]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        return self._words("replace")

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return ["ip", "address", "del", self._with_prefix, "dev", self.interface]

    def _words(self, verb: str) -> list[str]:
        words = ["ip", "address", verb, self._with_prefix, "dev", self.interface]
        if ip_address(self.address).version == 6:
            return [*words, "nodad", "preferred_lft", "0"]
        return [*words, "scope", self.scope] if self.scope != "global" else words
