"""What nearly every case is played with: both hooks, at which the data plane does the same, and both versions of IP."""

from __future__ import annotations

import pytest

HOOKS = pytest.mark.parametrize("hook", ["xdp", "tc"])
VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
