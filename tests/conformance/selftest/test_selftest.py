"""The topology and steps of the kernel's own end-to-end test of IPVS go with directrix as they go with IPVS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import machine
import pytest

HERE = Path(__file__).resolve().parent
NAMES = sorted(path.stem for path in HERE.glob("*.sh"))
DIRECTRIX = [sys.executable, "-m", "directrix"]


def transcript(name: str) -> Path:
    """What came of some steps with the real IPVS."""
    return HERE / "transcripts" / f"{name}.txt"


def ask_directrix(name: str) -> str:
    """What came of the steps with our ipvsadm, on this host.

    Raises:
        RuntimeError: a fetch did not go as it should, or the steps could not be taken; the text says why.
    """
    done = subprocess.run(
        [HERE / f"{name}.sh", *DIRECTRIX, "ipvsadm"],
        env={
            **os.environ,
            "TAKE_DOWN": " ".join([*DIRECTRIX, "down", "-q"]),
            "TAKE_OUT": " ".join([*DIRECTRIX, "realserver start --vip 198.51.100.100 --interface eth0 --tunnel ipip"]),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{done.stdout}{done.stderr}")
    return done.stdout


def ask_ipvs() -> dict[str, str]:
    """The same with the real IPVS and ipvsadm, in User Mode Linux: all steps, by name.

    Raises:
        RuntimeError: as above.
    """
    written, console = machine.boot(HERE / "selftest_guest.py")
    if set(written) != {f"{name}.txt" for name in NAMES}:
        raise RuntimeError("".join(written.values()) + console)
    return {name: written[f"{name}.txt"] for name in NAMES}


@pytest.mark.root
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_fetched_through_directrix_as_through_ipvs(name: str) -> None:
    assert ask_directrix(name) == transcript(name).read_text()


@pytest.mark.uml
def test_through_ipvs_it_still_goes_so() -> None:
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    assert ask_ipvs() == {name: transcript(name).read_text() for name in NAMES}
