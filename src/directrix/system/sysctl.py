"""Kernel parameters under /proc/sys; those below `net` are of the caller's network namespace.

A parameter is named as sysctl(8) does: with dots (`net.ipv4.ip_forward`), or with slashes if
there is a dot inside one of its parts (`net/ipv4/conf/eth0.5/forwarding`).
"""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys")


def read(key: str) -> str | None:
    """The value of a parameter, None if the kernel lacks it."""
    try:
        return _file(key).read_text().strip()
    except OSError:
        return None


def write(key: str, value: str) -> bool:
    """Set a parameter; False if the kernel lacks it or refuses the value."""
    try:
        require(key, value)
    except OSError:
        return False
    return True


def require(key: str, value: str) -> None:
    """Set a parameter.

    Raises:
        OSError: the kernel lacks it or refuses the value, or we have no privilege.
    """
    _file(key).write_text(f"{value}\n")


def _file(key: str) -> Path:
    return _ROOT / (key if "/" in key else key.replace(".", "/"))
