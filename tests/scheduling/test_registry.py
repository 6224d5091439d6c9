"""The registry knows all schedulers of IPVS, and which of them are here."""

from __future__ import annotations

import errno

import pytest

from directrix.lvs.errors import NoSuchScheduler, NotSupportedYet
from directrix.scheduling import ALGORITHMS, NO_SCHEDULER, algorithm, scheduler

FOURTEEN = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"}
IMPLEMENTED = {"rr", "wrr", "lc", "wlc"}


def test_all_fourteen_schedulers_of_ipvs_are_known() -> None:
    assert set(ALGORITHMS) == FOURTEEN
    assert all(name == entry.name and entry.description for name, entry in ALGORITHMS.items())


@pytest.mark.parametrize("name", sorted(IMPLEMENTED))
def test_an_implemented_scheduler_goes_by_its_own_name(name: str) -> None:
    assert scheduler(name).name == name


@pytest.mark.parametrize("name", sorted(FOURTEEN - IMPLEMENTED))
def test_a_scheduler_that_is_known_only_is_not_supported_yet(name: str) -> None:
    with pytest.raises(NotSupportedYet, match=name) as caught:
        scheduler(name)
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("name", ["nonsense", "", "RR", NO_SCHEDULER])
def test_an_unknown_scheduler_is_enoent(name: str) -> None:
    with pytest.raises(NoSuchScheduler) as caught:
        algorithm(name)
    assert caught.value.errno == errno.ENOENT
