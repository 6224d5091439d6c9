"""Where the cases, their guest and the data plane's tests find each other."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "table" / "xdp")]
