"""These tests share the machine and the scenario language of the directory above."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS / "conformance"), str(TESTS / "table" / "xdp")]
