"""The scheduling algorithms, one a file, as readable Python."""

from directrix.scheduling.registry import ALGORITHMS, NO_SCHEDULER, Algorithm, algorithm, scheduler
from directrix.scheduling.scheduler import Candidate, Flow, Position, Scheduler

__all__ = [
    "ALGORITHMS",
    "NO_SCHEDULER",
    "Algorithm",
    "Candidate",
    "Flow",
    "Position",
    "Scheduler",
    "algorithm",
    "scheduler",
]
