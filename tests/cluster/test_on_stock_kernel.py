"""VLANs, bonds and network cards on a stock Linux 6.1: what is tested in the guest, file by file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import stock_kernel

HERE = Path(__file__).resolve().parent.relative_to(stock_kernel.ROOT)

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(not stock_kernel.available(), reason="needs QEMU with virtiofsd: scripts/setup all"),
]


@pytest.mark.parametrize(("file", "least"), [("test_devices.py", 6), ("inside/cards_and_bonds.py", 8)])
def test_every_test_passes_and_none_is_skipped(file: str, least: int) -> None:
    status, said = stock_kernel.run(
        sys.executable, "-m", "pytest", "--color=no", "-p", "no:cacheprovider", str(HERE / file)
    )
    print(said)
    assert status == 0
    assert " skipped" not in said
    [passed] = re.findall(r"(\d+) passed", said)
    assert int(passed) >= least
