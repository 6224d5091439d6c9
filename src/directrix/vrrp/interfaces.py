"""What VRRP needs to know of the kernel's devices and addresses, kept true by the kernel's own news."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from directrix.lvs.addresses import Address, Family, family_of
from directrix.system.interfaces import Change, Events, InterfaceAddress, Line, LinkState
from directrix.vrrp.configuration import OWNER, Instance

_LINK_SCOPE = 253


class Interfaces:
    """The devices and addresses of the network namespace it was made in.

    Attributes:
        line: to the kernel, for changes.
        events: to be read when readable, by `read`.
    """

    def __init__(self) -> None:
        self.line = Line()
        self.events = Events()
        self._links: dict[int, LinkState] = {}
        self._addresses: list[InterfaceAddress] = []
        self.ask()

    def close(self) -> None:
        """Give the sockets back."""
        self.line.close()
        self.events.close()

    def ask(self) -> None:
        """Take the kernel's whole truth."""
        self._links = {link.index: link for link in self.line.links()}
        self._addresses = self.line.addresses()

    def read(self) -> list[Change]:
        """What has happened; it is known here from now on."""
        try:
            changes = list(self.events.read())
        except OSError:  # news were lost
            changes = []
        # Addresses are asked for anew, for their order is how the kernel chooses, and events don't tell it.
        self.ask()
        return changes

    def link(self, name: str) -> LinkState | None:
        """A device by its name."""
        return next((link for link in self._links.values() if link.name == name), None)

    def index(self, name: str) -> int | None:
        """A device's ifindex, None if there is none; 0 for no name, which stands for whichever the routes lead to."""
        if not name:
            return 0
        link = self.link(name)
        return link.index if link is not None else None

    def macs(self) -> dict[str, bytes]:
        """Each device's MAC address, by name."""
        return {link.name: link.mac for link in self._links.values()}

    def states(self) -> Iterator[tuple[str, bool]]:
        """Each device's name, and whether it is up and has a carrier."""
        return ((link.name, link.running) for link in self._links.values())

    def holds(self, device: str, address: Address) -> bool:
        """Whether an address is on a device; on any, if none is named."""
        index = self.index(device)
        return any(own.address == address and index in (0, own.index) for own in self._addresses)

    def source(self, instance: Instance, virtual: Collection[Address]) -> Address | None:
        """The address an instance's adverts come from. `virtual` are those that come and go: it is none but an owner's.

        The configured one, if it needn't be there or is there. Else the interface's first; over IPv6 a link-local one
        (RFC 5798 section 5.1.2.1), unless its peers are not on the link.
        """
        if instance.source is not None:
            if instance.track_source and not self.holds(instance.interface, instance.source):
                return None
            return instance.source
        link = self.link(instance.interface)
        if link is None:
            return None
        there = [
            own
            for own in self._addresses
            if own.index == link.index and own.usable and family_of(own.address) is instance.family
        ]
        found = [own for own in there if own.address not in virtual]
        if instance.priority == OWNER and not found:  # the virtual address is its own
            found = there
        if instance.family is Family.INET6:
            far = instance.peers and not any(peer.address.is_link_local for peer in instance.peers)
            found.sort(key=lambda own: (own.scope == _LINK_SCOPE) == bool(far))
            if not far:
                found = [own for own in found if own.scope == _LINK_SCOPE]
        return found[0].address if found else None
