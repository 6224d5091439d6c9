#!/usr/bin/env python3
"""First process of a User Mode Linux with the real IPVS: runs the tests in `inside` there.

Their results go as JUnit XML into the directory named by CONFORMANCE_OUTPUT. PYTHON is the
interpreter that has pytest and us; the one that runs this file may be any.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "conformance"))

from guest import ENVIRONMENT, LIBC, REBOOT_POWER_OFF, prepare  # noqa: E402


def main() -> None:
    output = prepare()
    os.mkdir("/run/tmp")
    subprocess.run(
        [
            os.environ["PYTHON"],
            *("-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q"),
            *("-o", "faulthandler_timeout=60"),
            *("--basetemp=/run/tmp/pytest", f"--junitxml={output}/results.xml"),
            *(str(path) for path in sorted((HERE / "inside").glob("*.py")) if path.name != "conftest.py"),
        ],
        cwd=HERE,
        env={**ENVIRONMENT, "TMPDIR": "/run/tmp"},
        check=False,
    )


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os.sync()
        LIBC.reboot(REBOOT_POWER_OFF)
