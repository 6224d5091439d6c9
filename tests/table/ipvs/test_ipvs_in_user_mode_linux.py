"""What the tests in `inside` found in a machine that has the real IPVS; it is booted once."""

from __future__ import annotations

import kernel_table
import machine
import pytest

pytestmark = pytest.mark.uml


@pytest.fixture(scope="module")
def parts() -> dict[str, kernel_table.Part]:
    """The results of the run inside."""
    if not machine.available():
        pytest.skip("needs user-mode-linux, kmod, iproute2 and ipvsadm")
    return {part.name: part for part in kernel_table.run()}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("keeps_the_contract", 100),
        ("answers_as_recorded", 20),
        ("beside_ipvsadm", 9),
        ("by_our_names", 8),
        ("directs", 1),
    ],
    ids=lambda value: str(value),
)
def test_over_the_kernels_own_ipvs_the_table(name: str, least: int, parts: dict[str, kernel_table.Part]) -> None:
    part = parts[name]
    assert not part.wrong, "\n\n".join(part.wrong)
    assert part.tests >= least
