"""What the names installed by `directrix install-names` run."""

from __future__ import annotations

import os
import sys

from directrix.cli.ipvsadm import text_input
from directrix.cli.main import guarded, provide_streams


def run(program: str) -> int:
    """Be this program of ipvsadm's; returns the exit status."""
    from directrix.ipvsadm.programs import PROGRAMS
    from directrix.table.opening import open_table

    provide_streams()
    name, *words = sys.argv
    return guarded(
        lambda: PROGRAMS[program](os.path.basename(name), words, open_table, text_input(), sys.stdout, sys.stderr)
    )
