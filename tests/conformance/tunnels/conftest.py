"""What IPVS makes of packets for tunnels today, played once for all who ask."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "table" / "xdp")]


@pytest.fixture(scope="session")
def played() -> dict[str, str]:
    """The transcripts, by file."""
    import machine

    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    written, console = machine.boot(HERE / "tunnel_guest.py")
    assert "errors.txt" in written, console
    return written
