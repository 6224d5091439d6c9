"""Kernel parameters."""

from __future__ import annotations

import pytest

from directrix.system import sysctl


def test_a_name_has_dots_or_slashes() -> None:
    assert sysctl.read("kernel.ostype") == sysctl.read("kernel/ostype") == "Linux"


def test_one_the_kernel_lacks_is_told() -> None:
    assert sysctl.read("kernel.no_such_parameter") is None
    assert not sysctl.write("kernel.no_such_parameter", "1")
    with pytest.raises(OSError, match="no_such_parameter"):
        sysctl.require("kernel.no_such_parameter", "1")
