"""Putting what goes with the mastership in place, and taking it away: addresses, routes, rules.

Addresses go by rtnetlink, in microseconds. Routes and rules are words of `ip route` and `ip rule`, which knows all of
them; one `ip` does all of an instance's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from directrix.lvs.addresses import Address, Family
from directrix.system import sysctl
from directrix.system.commands import CommandFailed, run
from directrix.vrrp.configuration import Instance
from directrix.vrrp.interfaces import Interfaces
from directrix.vrrp.values import Routing, VirtualAddress

_log = logging.getLogger("directrix.vrrp")

_Line = tuple[str, Routing]
"""`route` or `rule`, and its words."""


class Belongings:
    """What the instances of this machine have in place, by instance."""

    def __init__(self, interfaces: Interfaces) -> None:
        self._interfaces = interfaces
        self._addresses: dict[tuple[str, Family, int], dict[tuple[str, Address], VirtualAddress]] = {}
        self._routing: dict[tuple[str, Family, int], tuple[_Line, ...]] = {}

    def take(self, instance: Instance) -> None:
        """Put in place what an instance shall have; what it had and shall not have any more goes."""
        wanted = {
            (virtual.device or instance.device, virtual.address): virtual
            for virtual in (*instance.addresses, *instance.excluded)
        }
        had = self._addresses.get(instance.key, {})
        for place, virtual in had.items():
            if wanted.get(place) != virtual:
                self._remove(place[0], virtual)
        self._addresses[instance.key] = wanted
        if instance.promote_secondaries:
            sysctl.write(f"net/ipv4/conf/{instance.device}/promote_secondaries", "1")
        for place, virtual in wanted.items():
            self._add(place[0], virtual)
        routing = tuple([("route", each) for each in instance.routes] + [("rule", each) for each in instance.rules])
        before = self._routing.get(instance.key, ())
        _ip("del", [each for each in reversed(before) if each not in routing])
        _ip("add", [each for each in routing if each not in before])
        self._routing[instance.key] = routing

    def release(self, instance: Instance) -> None:
        """Take away all that an instance has in place; what it would have, too, if an earlier life left it there."""
        _ip("del", list(reversed(self._routing.pop(instance.key, ()))))
        had = self._addresses.pop(instance.key, {})
        left = {
            (virtual.device or instance.device, virtual.address): virtual
            for virtual in (*instance.addresses, *instance.excluded)
        }
        for (device, _), virtual in {**left, **had}.items():
            self._remove(device, virtual)

    def owned(self, instance: Instance) -> dict[tuple[str, Address], VirtualAddress]:
        """The addresses an instance has in place, by device and address."""
        return self._addresses.get(instance.key, {})

    def restore(self, instance: Instance, index: int, address: Address) -> bool:
        """Put back an address somebody else took off the device of that index; False if it isn't the instance's."""
        for (device, ours), virtual in self.owned(instance).items():
            link = self._interfaces.link(device)
            if ours == address and link is not None and link.index == index:
                return self._add(device, virtual)
        return False

    def _add(self, device: str, virtual: VirtualAddress) -> bool:
        link = self._interfaces.link(device)
        if link is None:
            _log.error("no interface %s to put %s on", device, virtual)
            return False
        try:
            return self._interfaces.line.add_address(
                link.index,
                virtual.address,
                virtual.prefix_length,
                broadcast=virtual.broadcast,
                label=virtual.label,
                scope=virtual.scope,
                peer=virtual.peer,
                flags=virtual.flags,
                deprecated=virtual.deprecated,
            )
        except OSError as error:
            _log.error("can't put %s on %s: %s", virtual, device, error.strerror)
            return False

    def _remove(self, device: str, virtual: VirtualAddress) -> None:
        link = self._interfaces.link(device)
        if link is None:
            return
        try:
            self._interfaces.line.remove_address(link.index, virtual.address, virtual.prefix_length)
        except OSError as error:
            _log.error("can't take %s off %s: %s", virtual, device, error.strerror)


def _ip(verb: str, lines: Sequence[_Line]) -> None:
    """Routes and rules, each for itself: one that fails keeps no other from being done."""
    for family, option in ((Family.INET, "-4"), (Family.INET6, "-6")):
        words = [" ".join((kind, verb, *routing.words)) for kind, routing in lines if routing.family is family]
        if not words:
            continue
        try:
            run(["ip", option, "-force", "-batch", "-"], text="".join(f"{line}\n" for line in words))
        except CommandFailed as failure:
            _log.error("virtual routes and rules: %s", failure)
