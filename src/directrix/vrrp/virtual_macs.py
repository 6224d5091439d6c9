"""The virtual MAC address (RFC 5798 section 7.3): a macvlan device in private mode above the instance's interface.

It exists as long as the instance does, master or not: the switch then learns the virtual MAC from the master's adverts
and forgets the old master's port. A private macvlan gets the frames of another router with the same MAC; it is where
we listen. ARP is made strict on both devices, so that each answers for its own addresses only, and the reverse path
filter is relaxed on the virtual one, because the way back leads by the interface below.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable

from directrix.lvs.addresses import Family
from directrix.system import sysctl
from directrix.vrrp.configuration import Instance
from directrix.vrrp.interfaces import Interfaces

_log = logging.getLogger("directrix.vrrp")

_KIND = "macvlan"
_STRICT_ARP = "net/ipv4/conf/{}/arp_ignore"


class VirtualMacs:
    """The virtual MAC devices of this machine's instances."""

    def __init__(self, interfaces: Interfaces) -> None:
        self._interfaces = interfaces
        self._made: dict[str, str] = {}
        """Names of the devices, and of the interfaces below them."""
        self._arp_ignore: dict[str, str] = {}
        """What it was on interfaces below, to be set back."""

    def check(self, instances: Iterable[Instance]) -> None:
        """See that the names are free.

        Raises:
            FileExistsError: another device has one of them.
        """
        for instance in instances:
            there = self._interfaces.link(instance.device) if instance.virtual_mac is not None else None
            if there is not None and there.kind != _KIND:
                raise FileExistsError(errno.EEXIST, f"there is an interface {instance.device} that is no virtual MAC's")

    def make(self, instances: Iterable[Instance]) -> None:
        """Have the devices of those that want one and whose interface is there. What is there already stays.

        Raises:
            OSError: the kernel refuses; FileExistsError if another device has the name. Those made by this call are
                gone again.
        """
        new: list[str] = []
        try:
            for instance in instances:
                if instance.virtual_mac is not None and self._make(instance):
                    new.append(instance.device)
        except OSError:
            for name in new:
                self._remove(name)
            raise

    def keep_only(self, instances: Iterable[Instance]) -> None:
        """Remove the devices that none of these instances has."""
        kept = {instance.device for instance in instances if instance.virtual_mac is not None}
        for name in [name for name in self._made if name not in kept]:
            self._remove(name)

    def remove_all(self) -> None:
        """Remove all devices."""
        self.keep_only(())

    def _make(self, instance: Instance) -> bool:
        """Whether a device was made for it; one that an earlier life left, and that fits, is taken over."""
        name = instance.device
        below, there = self._interfaces.link(instance.interface), self._interfaces.link(name)
        if below is None:
            return False
        self.check((instance,))
        fits = there is not None and (there.mac, there.parent) == (instance.mac, below.index)
        if fits and name in self._made:
            return False
        if not fits:
            if there is not None:
                self._interfaces.line.remove_link(there.index)
            self._interfaces.line.add_macvlan(name, below.index, instance.mac, link_local=False)
        self._made[name] = instance.interface
        self._interfaces.ask()
        if instance.family is Family.INET:
            self._prepare(name, instance.interface)
        there = self._interfaces.link(name)
        if there is not None and not there.up:
            self._interfaces.line.set_up(there.index)
            self._interfaces.ask()
        return not fits

    def _remove(self, name: str) -> None:
        below = self._made.pop(name)
        there = self._interfaces.link(name)
        if there is not None:
            try:
                self._interfaces.line.remove_link(there.index)
            except OSError as error:
                _log.error("can't remove interface %s: %s", name, error.strerror)
            self._interfaces.ask()
        if below not in self._made.values():
            before = self._arp_ignore.pop(below, None)
            if before is not None:
                sysctl.write(_STRICT_ARP.format(below), before)

    def _prepare(self, name: str, below: str) -> None:
        everywhere = sysctl.read("net.ipv4.conf.all.rp_filter")
        # The greater of `all` and the device's own counts: 2 is loose, which lets what 1 would drop pass.
        sysctl.write(f"net/ipv4/conf/{name}/rp_filter", "0" if everywhere in (None, "0") else "2")
        sysctl.write(f"net/ipv4/conf/{name}/accept_local", "1")
        sysctl.write(_STRICT_ARP.format(name), "1")
        before = sysctl.read(_STRICT_ARP.format(below))
        if before == "0":
            self._arp_ignore.setdefault(below, before)
            sysctl.write(_STRICT_ARP.format(below), "1")
