"""The schedulers IPVS has, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from directrix.lvs.errors import NoSuchScheduler
from directrix.scheduling.dh import DestinationHashing
from directrix.scheduling.fo import WeightedFailover
from directrix.scheduling.lblc import LocalityBasedLeastConnection
from directrix.scheduling.lblcr import LocalityBasedLeastConnectionWithReplication
from directrix.scheduling.lc import LeastConnection
from directrix.scheduling.mh import MaglevHashing
from directrix.scheduling.nq import NeverQueue
from directrix.scheduling.ovf import WeightedOverflow
from directrix.scheduling.rr import RoundRobin
from directrix.scheduling.scheduler import Scheduler
from directrix.scheduling.sed import ShortestExpectedDelay
from directrix.scheduling.sh import SourceHashing
from directrix.scheduling.twos import PowerOfTwoChoices
from directrix.scheduling.wlc import WeightedLeastConnection
from directrix.scheduling.wrr import WeightedRoundRobin

NO_SCHEDULER = "none"
"""The name by which IPVS takes a service without scheduler: it never has a real server to give."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A scheduler by name, what it does in a line, and its implementation."""

    name: str
    description: str
    scheduler: type[Scheduler[Any]]


_ALGORITHMS = (
    Algorithm("rr", "round robin: each real server in turn", RoundRobin),
    Algorithm("wrr", "weighted round robin: in turn, heavier ones more often", WeightedRoundRobin),
    Algorithm("lc", "least connection: the one with the smallest load", LeastConnection),
    Algorithm("wlc", "weighted least connection: the smallest load for its weight", WeightedLeastConnection),
    Algorithm(
        "lblc",
        "locality-based least connection: by destination, until that server is overloaded",
        LocalityBasedLeastConnection,
    ),
    Algorithm(
        "lblcr",
        "locality-based least connection with replication: by destination, a set of servers",
        LocalityBasedLeastConnectionWithReplication,
    ),
    Algorithm("dh", "destination hashing: by the destination address, from a fixed table", DestinationHashing),
    Algorithm("sh", "source hashing: by the client's address, from a fixed table", SourceHashing),
    Algorithm("sed", "shortest expected delay: the smallest (active + 1) for its weight", ShortestExpectedDelay),
    Algorithm("nq", "never queue: an idle server if there is one, else shortest expected delay", NeverQueue),
    Algorithm("fo", "weighted failover: the heaviest, whatever its load", WeightedFailover),
    Algorithm("ovf", "weighted overflow: the heaviest until it has more connections than weight", WeightedOverflow),
    Algorithm("mh", "Maglev hashing: by the client's address, steady when servers come and go", MaglevHashing),
    Algorithm("twos", "weighted power of two choices: the less loaded of two drawn at random", PowerOfTwoChoices),
)

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({algorithm.name: algorithm for algorithm in _ALGORITHMS})
"""All fourteen schedulers of IPVS by name."""


def algorithm(name: str) -> Algorithm:
    """What is known of a scheduler.

    Raises:
        NoSuchScheduler: IPVS has none of that name.
    """
    try:
        return ALGORITHMS[name]
    except KeyError:
        raise NoSuchScheduler(name) from None


def scheduler(name: str) -> type[Scheduler[Any]]:
    """The implementation of a scheduler.

    Raises:
        NoSuchScheduler: IPVS has none of that name.
    """
    return algorithm(name).scheduler
