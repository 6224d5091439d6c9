"""Why a scheduler chooses whom it chooses, in its own figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from directrix.lvs.addresses import endpoint
from directrix.scheduling import Candidate, Flow, dh, mh, sh
from directrix.scheduling.hashing import fold
from directrix.scheduling.scheduler import FALLBACK, PORT, overhead, usable
from directrix.table.memory.destination import Destination
from directrix.table.memory.service import Service


@dataclass(frozen=True, slots=True)
class Standing:
    """A real server as the scheduler saw it.

    Attributes:
        server: address and port.
        weight, active, inactive: what it went by.
        left_out: why it could not be chosen, empty if it could.
        figure: what it was compared by, empty if the algorithm compares nothing.
    """

    server: str
    weight: int
    active: int
    inactive: int
    left_out: str
    figure: str


def standings(service: Service) -> list[Standing]:
    """All real servers of a service, newest first, as its scheduler sees them."""
    figure = _FIGURES.get(service.definition.scheduler, _nothing)
    return [
        Standing(
            endpoint(*candidate.server.key),
            candidate.weight,
            candidate.active,
            candidate.inactive,
            _left_out(candidate, service.definition.scheduler),
            figure(candidate) if candidate.weight > 0 else "",
        )
        for candidate in service.destinations
    ]


def _left_out(candidate: Destination, scheduler: str) -> str:
    server = candidate.server
    if candidate.weight <= 0:
        return "quiesced: its weight is 0"
    if candidate.overloaded:
        count = candidate.active + candidate.inactive
        lower = server.lower_threshold or f"three quarters of {server.upper_threshold}"
        return f"full: {count} connections, upper threshold {server.upper_threshold}, open again below {lower}"
    if scheduler == "ovf" and candidate.active > candidate.weight:
        return f"overflowing: more than {candidate.weight} active connections"
    return ""


def _per_weight(load: int, candidate: Candidate) -> str:
    return f"{load}/{candidate.weight} = {load / candidate.weight:.3f}"


def _wlc(candidate: Candidate) -> str:
    return f"load {_per_weight(overhead(candidate), candidate)}"


def _sed(candidate: Candidate) -> str:
    return f"delay {_per_weight(candidate.active + 1, candidate)}"


def _nothing(candidate: Candidate) -> str:
    return ""


def _lc(candidate: Candidate) -> str:
    return f"load {overhead(candidate)}"


def _nq(candidate: Candidate) -> str:
    return "idle" if candidate.active == 0 else _sed(candidate)


_FIGURES: dict[str, Callable[[Candidate], str]] = {
    "lc": _lc,
    "wlc": _wlc,
    "lblc": _wlc,
    "lblcr": _wlc,
    "sed": _sed,
    "nq": _nq,
}

_RULES = {
    "lc": "the least load, where an active connection counts as 256 inactive ones",
    "wlc": "the least load for its weight, where an active connection counts as 256 inactive ones",
    "sed": "the least (active + 1) for its weight",
    "nq": "the first idle one, else the least (active + 1) for its weight",
    "fo": "the greatest weight",
    "ovf": "the greatest weight among those that have no more active connections than weight",
    "twos": "the less loaded of two drawn at random, each as often as its weight says",
    "none": "there is no scheduler, and so nobody is chosen",
}


def reason(service: Service, flow: Flow, before: Memory) -> str:
    """What the scheduler of a service goes by for a new connection. `before`: what it remembered then."""
    name = service.definition.scheduler
    if name == "rr":
        return f"the next in the list {_after(before)}"
    if name == "wrr":
        return f"the next in the list {_after(before)} whose weight reaches the level, {before.level} at present"
    if name == "dh":
        bucket = dh.bucket_of(fold(flow.destination))
        places = dh.table(len(service.destinations))
        return f"the destination {flow.destination} hashes to bucket {bucket} of 256{_stands(service, places, bucket)}"
    if name == "sh":
        bucket = sh.bucket_of(fold(flow.source), _port(service, flow))
        places = sh.table([candidate.weight for candidate in service.destinations])
        return f"{_client(service, flow)} hashes to bucket {bucket} of 256{_stands(service, places, bucket)}"
    if name == "mh":
        slot = mh.slot_of(fold(flow.source), _port(service, flow))
        places = mh.table([(one.address, one.port, one.last_weight) for one in service.destinations[: mh.SLOTS]])
        return f"{_client(service, flow)} hashes to slot {slot} of {mh.SLOTS}{_stands(service, places, slot)}"
    if name in ("lblc", "lblcr"):
        return _locality(name, flow, before)
    return _RULES[name]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a scheduler remembered: the one it picked last, the level of `wrr`, who has the destination."""

    last: str = ""
    level: int = 0
    members: tuple[str, ...] = ()
    known: bool = True


def _after(before: Memory) -> str:
    if not before.known:
        return "after the one picked last, which this table doesn't tell"
    return f"after {before.last}, which was picked last" if before.last else "from its head"


def _locality(name: str, flow: Flow, before: Memory) -> str:
    if not before.known:
        return f"who has {flow.destination} already, which this table doesn't tell, else the least load for its weight"
    if not before.members:
        return f"nobody has {flow.destination} yet: the least load for its weight"
    if name == "lblc":
        return f"{before.members[0]} has {flow.destination}, unless it is gone, quiesced or overburdened"
    return (
        f"the least loaded of those that have {flow.destination}: {', '.join(before.members)}; if overburdened, of all"
    )


def _port(service: Service, flow: Flow) -> int:
    return flow.source_port if service.definition.scheduler_flags & PORT else 0


def _client(service: Service, flow: Flow) -> str:
    port = _port(service, flow)
    return f"the client {endpoint(flow.source, port)}" if port else f"the client {flow.source}"


def _stands(service: Service, places: Sequence[int], number: int) -> str:
    if not places:
        return ", which stands for nobody"
    candidate = service.destinations[places[number]]
    text = f", which stands for {endpoint(*candidate.server.key)}"
    if usable(candidate):
        return text
    if service.definition.scheduler_flags & FALLBACK:
        return f"{text}; that one can't be had, and by the flag fallback others are looked for"
    return f"{text}; that one can't be had, and without the flag fallback nobody else is asked"
