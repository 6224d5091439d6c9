"""Features of network devices, as ethtool(8) sets them."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_ETHTOOL_SGRO = 0x2C


def set_gro(name: str, on: bool) -> None:
    """Turn generic receive offload of a device on or off (`ethtool -K NAME gro on`).

    Raises:
        OSError: there is no such device, or it refuses.
    """
    value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_SGRO, int(on)))
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
