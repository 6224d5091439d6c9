"""Inside the conformance machine: runs the tests in `inside`, where the real IPVS is.

Their results go as JUnit XML into the directory the host gets back. PYTHON is the interpreter that
has pytest and us; the one that runs this file may be any.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from guest import ENVIRONMENT

HERE = Path(__file__).resolve().parent


def main(output: Path) -> None:
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
