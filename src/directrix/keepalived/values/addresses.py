"""Addresses that are put on interfaces."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceAddress:
    """An address, as `ip address add` takes it: a VIP, or a static one.

    Attributes:
        address, prefix: the address and the length of its network; 32 or 128 where none was given.
        interface: where it belongs (`dev`); empty for the VRRP instance's interface, or for
            `default_interface` if it is a static one.
        broadcast: an address, `+` or `-` as iproute2 has them; empty for none.
        scope: `global`, `site`, `link`, `host`, `nowhere` or a number; empty for the kernel's choice.
        label: as `eth0:1`.
        peer: the address at the other end of a point-to-point link, with the prefix that then counts.
        home, no_dad, manage_temporary, no_prefix_route, auto_join: flags of the address.
        preferred_lifetime: seconds, None for ever; 0 deprecates an IPv6 address, which is
            keepalived's default for those with /128.
        use_vmac: put it on a virtual-MAC interface above `interface`.
        track: whether its removal by others is a fault of the instance.
        track_group: of a static address: the track group whose instances follow it.
    """

    address: Address
    prefix: int
    interface: str = ""
    broadcast: str = ""
    scope: str = ""
    label: str = ""
    peer: Address | None = None
    home: bool = False
    no_dad: bool = False
    manage_temporary: bool = False
    no_prefix_route: bool = False
    auto_join: bool = False
    preferred_lifetime: int | None = None
    use_vmac: bool = False
    track: bool = True
    track_group: str = ""
