#!/usr/bin/env python3
"""Print the transcript of a scenario over the table of this network namespace, and take it down.

Meant to be run in a namespace of its own (`unshare --net`), with the scenario's file name.
"""

from __future__ import annotations

import subprocess
import sys

from in_process import FileNames, execute
from scenario import SCENARIOS, read_scenario, transcript

from directrix.table.opening import open_table
from directrix.table.xdp import director

names = FileNames()
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
try:
    print(transcript(read_scenario(SCENARIOS / sys.argv[1]), lambda step: execute(step, open_table, names)), end="")
finally:
    director.take_down()
