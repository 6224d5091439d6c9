"""Telling neighbours where addresses are: at once, or spaced by the interval an interface was given."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from directrix.lvs.addresses import Address
from directrix.system import sysctl
from directrix.system.frames import announcement
from directrix.vrrp.addresses import Belongings
from directrix.vrrp.channels import Ethernet
from directrix.vrrp.configuration import Instance
from directrix.vrrp.interfaces import Interfaces

_log = logging.getLogger("directrix.vrrp")


class Announcer:
    """Tells neighbours where addresses are."""

    def __init__(self, interfaces: Interfaces, belongings: Belongings) -> None:
        self._interfaces = interfaces
        self._belongings = belongings
        self._ethernet = Ethernet()
        self._waiting: dict[tuple[str, int], deque[tuple[Instance, Address]]] = {}
        self._next: dict[tuple[str, int], asyncio.TimerHandle] = {}

    def close(self) -> None:
        """Forget what still waits."""
        for handle in self._next.values():
            handle.cancel()
        self._ethernet.close()

    def announce(self, instance: Instance, rounds: int) -> None:
        """Tell of all addresses an instance has in place, so many times, one after another."""
        owned = list(self._belongings.owned(instance))
        for _ in range(rounds):
            for device, address in owned:
                self._queue(instance, device, address)

    def forget(self, instance: Instance) -> None:
        """What still waits for an instance is not sent any more."""
        for waiting in self._waiting.values():
            kept = [each for each in waiting if each[0].key != instance.key]
            waiting.clear()
            waiting.extend(kept)

    def _queue(self, instance: Instance, device: str, address: Address) -> None:
        gratuitous = instance.gratuitous
        interval = gratuitous.arp_interval if address.version == 4 else gratuitous.na_interval
        if not interval:
            self._send(device, address)
            return
        line = (device, address.version)
        self._waiting.setdefault(line, deque()).append((instance, address))
        if line not in self._next:
            self._next[line] = asyncio.get_running_loop().call_later(0, self._go_on, line, interval)

    def _go_on(self, line: tuple[str, int], interval: float) -> None:
        waiting = self._waiting[line]
        if not waiting:
            del self._next[line]
            return
        _, address = waiting.popleft()
        self._send(line[0], address)
        self._next[line] = asyncio.get_running_loop().call_later(interval, self._go_on, line, interval)

    def _send(self, device: str, address: Address) -> None:
        link = self._interfaces.link(device)
        if link is None or len(link.mac) != 6:
            return
        router = address.version == 6 and sysctl.read(f"net/ipv6/conf/{device}/forwarding") == "1"
        try:
            self._ethernet.send(announcement(address, link.mac, router=router), device)
        except OSError as error:
            _log.warning("can't announce %s on %s: %s", address, device, error.strerror)
