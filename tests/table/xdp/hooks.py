"""The hooks that a case is played at: the data plane does the same at both."""

from __future__ import annotations

import pytest

HOOKS = pytest.mark.parametrize("hook", ["xdp", "tc"])
