"""Inside the conformance machine: the steps of each script with the real IPVS and ipvsadm."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guest import ENVIRONMENT

TIME_LIMIT = 120.0
HERE = Path(__file__).resolve().parent
NAMES = ("direct_routing", "masquerading")


def main(output: Path) -> None:
    Path("/run/tmp").mkdir()
    for name in NAMES:
        done = subprocess.run(
            [HERE / f"{name}.sh", "ipvsadm"],
            env={**ENVIRONMENT, "TMPDIR": "/run/tmp"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
        (output / f"{name}.txt").write_text(done.stdout)
        if done.returncode:
            (output / f"{name}.error").write_text(f"exit {done.returncode}: {done.stderr}")
