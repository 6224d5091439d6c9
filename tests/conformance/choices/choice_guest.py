#!/usr/bin/env python3
"""Inside the conformance machine: plays the scenarios of choices against the real IPVS, as init.

Every scenario has a network namespace, and so an IPVS, of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parents[2] / "src")]
sys.dont_write_bytecode = True

from choice_steps import perform  # noqa: E402
from choice_wire import Wire  # noqa: E402
from guest import ENVIRONMENT, LIBC, REBOOT_POWER_OFF, execute, isolate, prepare  # noqa: E402
from scenario import read_scenario, transcript  # noqa: E402


def play(path: Path, output: Path) -> None:
    """Play a scenario and write its transcript, or why there is none."""
    try:
        isolate()
        wire = Wire()
        text = transcript(read_scenario(path), lambda step: perform(step, execute, wire.choose, wire.introduce))
        (output / path.name).write_text(text)
    except BaseException:
        (output / f"{path.name}.error").write_text(traceback.format_exc())


def main() -> None:
    output = prepare()
    subprocess.run(["modprobe", "-d", "/run/root", "veth"], check=True, env=ENVIRONMENT)
    for path in sorted(Path(os.environ["CONFORMANCE_SCENARIOS"]).glob("*.txt")):
        if process := os.fork():
            os.waitpid(process, 0)
        else:
            play(path, output)
            os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os.sync()
        LIBC.reboot(REBOOT_POWER_OFF)
