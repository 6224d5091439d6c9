"""Inside the conformance machine: the steps with the real IPVS and ipvsadm."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guest import ENVIRONMENT, load

TIME_LIMIT = 120.0
HERE = Path(__file__).resolve().parent


def main(output: Path) -> None:
    Path("/run/tmp").mkdir()
    load("ipip")
    for steps in sorted(HERE.glob("*.sh")):
        done = subprocess.run(
            [steps, "ipvsadm"],
            env={**ENVIRONMENT, "TMPDIR": "/run/tmp"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
        (output / f"{steps.stem}.txt").write_text(done.stdout)
        if done.returncode:
            (output / f"{steps.stem}.error").write_text(f"exit {done.returncode}: {done.stderr}")
