"""Kernel parameters of the network namespace the calling thread is in."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys")


def path(key: str) -> Path:
    """The file of a parameter, by its name with dots, e.g. `net.ipv4.ip_forward`.

    As with sysctl(8), a name with slashes is taken as it is: `net/ipv4/conf/eth0.5/rp_filter`.
    """
    return _ROOT / (key if "/" in key else key.replace(".", "/"))


def read(key: str) -> str:
    """The value of a parameter.

    Raises:
        OSError: there is none of this name.
    """
    return path(key).read_text().strip()


def write(key: str, value: str) -> None:
    """Set a parameter.

    Raises:
        OSError: there is none of this name, the value is refused, or no privilege.
    """
    path(key).write_text(f"{value}\n")
