"""MISC_CHECK: ask a program of the operator's. Exit status 0 is good; anything else, a signal or taking too long is
not.

With `misc_dynamic` a status from 2 to 255 is good, too, and weighs the server: the weight becomes two less than the
status (other checkers' weights are added to that). Status 0 then is the configured weight.

Time is counted from start to start, as in keepalived. What the program writes is kept, a little of it, for the history.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from directrix.checks.checker import OUR_SHORTAGE, Checker
from directrix.checks.outcome import Outcome, failure
from directrix.system.scripts import PATIENCE, Ending, User, run


@dataclass(frozen=True, slots=True)
class MiscCheck:
    """What is run.

    Attributes:
        command: the program and its arguments; no shell is involved.
        timeout: `misc_timeout` in seconds; None stands for `delay_loop`, which whoever makes this fills in.
        dynamic: the status weighs the server.
        server_weight: the server's configured weight.
        user: as whom; None for ourselves.
    """

    command: tuple[str, ...]
    timeout: float = 60.0
    dynamic: bool = False
    server_weight: int = 1
    user: User | None = None

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError("MISC_CHECK needs misc_path")
        if self.timeout <= 0:
            raise ValueError(f"misc_timeout {self.timeout}: a program takes some time")


class MiscChecker(Checker):
    """Runs the program."""

    from_start = True

    def __init__(self, settings: MiscCheck) -> None:
        self.settings = settings
        # Its end is seen to by `run`; this is for a process that not even SIGKILL ends.
        self.deadline = settings.timeout + PATIENCE + 10.0

    async def attempt(self, item: int) -> Outcome:
        """Run it once."""
        settings = self.settings
        # The service manager's socket is ours to talk to.
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        try:
            ending = await run(settings.command, settings.timeout, user=settings.user, environment=environment)
        except OSError as error:
            if error.errno in OUR_SHORTAGE:
                raise
            return failure(f"{settings.command[0]} can't be run: {error.strerror}")
        return judge(settings, ending)


def judge(settings: MiscCheck, ending: Ending) -> Outcome:
    """What an ending means."""
    said = " ".join(ending.output.decode(errors="replace").split())[:200]
    words = f": {said}" if said else ""
    if ending.timed_out:
        return failure(f"took longer than {settings.timeout:g} s{words}")
    if ending.status < 0:
        return failure(f"ended by signal {-ending.status}{words}")
    detail = f"exited with status {ending.status}{words}"
    if not settings.dynamic:
        return Outcome(ending.status == 0, detail)
    if ending.status == 1:
        return Outcome(False, detail)
    weight = ending.status - 2 - settings.server_weight if ending.status else 0
    return Outcome(True, detail, weight)
