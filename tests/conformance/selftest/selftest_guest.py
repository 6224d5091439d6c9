"""Inside the conformance machine: the direct-routing steps with the real IPVS and ipvsadm."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guest import ENVIRONMENT

TIME_LIMIT = 120.0
HERE = Path(__file__).resolve().parent


def main(output: Path) -> None:
    Path("/run/tmp").mkdir()
    done = subprocess.run(
        [HERE / "direct_routing.sh", "ipvsadm"],
        env={**ENVIRONMENT, "TMPDIR": "/run/tmp"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    (output / "direct_routing.txt").write_text(done.stdout)
    if done.returncode:
        (output / "direct_routing.error").write_text(f"exit {done.returncode}: {done.stderr}")
