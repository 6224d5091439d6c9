"""Whether what `directrix realserver start` or `directrix director start` made is still so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip
from directrix.realserver import preparing as of_realserver
from directrix.system.host_error import HostError
from directrix.vips import preparing as of_director

_PREPARING: dict[Role, tuple[str, Callable[[], Sequence[Any]]]] = {
    Role.REALSERVER: ("realserver", of_realserver.status),
    Role.DIRECTOR: ("director", of_director.status),
}


def look(case: Case) -> Iterator[Finding]:
    """Each VIP that was started here: all that must be so."""
    command, status = _PREPARING[case.role]
    try:
        started = [each for each in status() if each.started and (not case.vips or case.is_vip(each.vip))]
    except HostError as error:
        yield skip(f"directrix {command}", str(error))
        return
    if not started:
        yield skip(f"directrix {command}", "it was not called here: this host was prepared by other means, if at all")
    for each in started:
        missing = [fact.text for fact in each.missing]
        looked_at = f"directrix {command} start --vip {each.vip}"
        if missing:
            again = Remedy(looked_at, safe=True)
            yield fail(looked_at, f"what it made is not so any more: {', '.join(missing)}", [again])
        else:
            yield ok(looked_at, "all that it made is still so")


CHECK = Check(
    "prepared",
    "what directrix made for the VIP on this host",
    "Something else on the host (another tool, a reload of the network, a person) may have changed it back.",
    frozenset(_PREPARING),
    look,
)
