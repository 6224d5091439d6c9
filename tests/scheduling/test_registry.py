"""The registry has all schedulers of IPVS."""

from __future__ import annotations

import errno

import pytest

from directrix.lvs.errors import NoSuchScheduler
from directrix.scheduling import ALGORITHMS, NO_SCHEDULER, algorithm, scheduler

FOURTEEN = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"}


def test_all_fourteen_schedulers_of_ipvs_are_known() -> None:
    assert set(ALGORITHMS) == FOURTEEN
    assert all(name == entry.name and entry.description for name, entry in ALGORITHMS.items())


@pytest.mark.parametrize("name", sorted(FOURTEEN))
def test_a_scheduler_goes_by_its_own_name(name: str) -> None:
    assert scheduler(name).name == name


@pytest.mark.parametrize("name", ["nonsense", "", "RR", NO_SCHEDULER])
def test_an_unknown_scheduler_is_enoent(name: str) -> None:
    with pytest.raises(NoSuchScheduler) as caught:
        algorithm(name)
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(NoSuchScheduler) as caught:
        scheduler(name)
    assert caught.value.errno == errno.ENOENT
