"""Real servers behind tunnels on a stock Linux 6.1, which has all tunnel devices: by them, and by the BPF program."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tunnel_frames import HERE, KINDS, VIPS

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "conformance"))

import machine  # noqa: E402

pytestmark = pytest.mark.uml


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What the machine found, by question."""
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    guest = Path(__file__).with_name("tunnels_guest.py")
    written, console = machine.boot(guest, PYTHON=sys.executable, SOURCE=TESTS.parent / "src")
    assert "tunnels.txt" in written, console
    return dict(line.split(": ", 1) for line in written["tunnels.txt"].splitlines() if ": " in line)


@pytest.mark.parametrize("by", ["by BPF", "by the kernel"])
def test_it_takes_packets_out_of_every_tunnel_and_goes_without_a_trace(answers: dict[str, str], by: str) -> None:
    found = {what.removeprefix(f"{by} "): answer for what, answer in answers.items() if what.startswith(by)}
    kinds = [kind for kind in KINDS if by == "by BPF" or "checksum" not in kind]
    taken = {f"{kind} {version}-in-{outer}": "True" for version in VIPS for outer in HERE for kind in kinds}
    assert found == taken | {
        "start": "0",
        "devices": str(by == "by the kernel"),
        "status": "0",
        "stop": "0",
        "as before": "True",
    }
