"""Features of network devices, as ethtool(8) sets them."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
import sys

_SIOCETHTOOL = 0x8946
_ETHTOOL_SGRO = 0x2C
_ETHTOOL_GFLAGS = 0x25
_LRO = 1 << 15


def set_gro(name: str, on: bool) -> None:
    """Turn generic receive offload of a device on or off (`ethtool -K NAME gro on`).

    Raises:
        OSError: there is no such device, or it refuses.
    """
    _ask(name, _ETHTOOL_SGRO, int(on))


def large_receive(name: str) -> bool:
    """Whether large receive offload of a device is on; False where it can't be known."""
    try:
        return bool(_ask(name, _ETHTOOL_GFLAGS) & _LRO)
    except OSError:
        return False


def _ask(name: str, command: int, value: int = 0) -> int:
    asked = ctypes.create_string_buffer(struct.pack("=II", command, value))
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(asked))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
    return int.from_bytes(asked.raw[4:8], sys.byteorder)
