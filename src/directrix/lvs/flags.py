"""Names of scheduler flags."""

from __future__ import annotations

from directrix.lvs.service import SchedulerFlags, VirtualService

_BITS = (SchedulerFlags.FLAG_1, SchedulerFlags.FLAG_2, SchedulerFlags.FLAG_3)
NAMES = {
    "sh": ("sh-fallback", "sh-port"),
    "mh": ("mh-fallback", "mh-port"),
}
"""Of the schedulers that heed flags: what they call FLAG_1, FLAG_2."""
FALLBACK = SchedulerFlags.FLAG_1
"""To whom it means something: a client whose real server can't be had gets another one."""
_PLAIN = ("flag-1", "flag-2", "flag-3")


def flag_names(service: VirtualService) -> list[str]:
    """The flags of a service as its scheduler calls them; sh and mh have no third one."""
    if not service.scheduler_flags:
        return []
    names = NAMES.get(service.scheduler, _PLAIN)
    return [name for bit, name in zip(_BITS, names, strict=False) if service.scheduler_flags & bit]
