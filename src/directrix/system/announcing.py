"""Telling everybody on a wire which MAC has an address now: whoever knew another one learns it."""

from __future__ import annotations

import socket

from directrix.system.address import Address
from directrix.system.facts.fact import Command, calling
from directrix.system.frames import announcement as frame

_ETH_P_ALL = 3


def announcement(address: Address, interface: str, mac: bytes) -> Command:
    """The command that announces an address at an interface with this MAC; raises OSError."""
    program = f"arping -U -c 1 -I {interface} {address}" if address.version == 4 else f"ndsend {address} {interface}"
    return calling(program, _send, interface, frame(address, mac))


def _send(interface: str, data: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, _ETH_P_ALL))
        wire.send(data)
