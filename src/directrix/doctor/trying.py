"""Trying a virtual service from here, as its clients do: which real server answers, and how often.

In direct routing a real server's answer says it comes from the VIP; what tells servers apart is the
MAC the answer comes from, on the client's own segment, or something in what they answer over HTTP.
What comes through a router or through a director that masquerades has the MAC of that one.
"""

from __future__ import annotations

import http.client
import math
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from directrix.doctor.case import CannotLook
from directrix.doctor.finding import Outcome
from directrix.doctor.host import Host
from directrix.doctor.served import Service
from directrix.lvs import Protocol
from directrix.lvs.addresses import endpoint
from directrix.system.frames import ACK, SYN
from directrix.system.wire import Wire

_PATIENCE = 3.0
_LONGEST_NAME = 60
_OTHERWISE = "try --identify body or header:NAME"
_TOLERANCE = 3.0
"""How many standard deviations of chance a share may be off; schedulers that don't draw lots are far nearer."""


@dataclass(frozen=True, slots=True)
class Identify:
    """What tells servers apart: `mac`, `body`, or `header` with the header's name."""

    how: str
    header: str = ""

    @classmethod
    def parse(cls, text: str) -> Identify:
        """From the word on the command line.

        Raises:
            ValueError: it is none of those.
        """
        how, _, header = text.partition(":")
        if (how in ("mac", "body") and not header) or (how == "header" and header):
            return cls(how, header)
        raise ValueError(f"servers can't be told apart by {text!r}; say mac, body or header:NAME")


def parse_weights(text: str) -> dict[str, int]:
    """`rs1=1,rs2=2` as weights by name.

    Raises:
        ValueError: a part is not NAME=WEIGHT.
    """
    weights = {}
    for part in filter(None, text.split(",")):
        name, equals, weight = part.rpartition("=")
        if not equals or not name or not weight.isdigit():
            raise ValueError(f"{part!r} is no weight; write, say, --weights 10.0.0.11=1,10.0.0.12=2")
        weights[name] = int(weight)
    return weights


@dataclass(slots=True)
class Trial:
    """What came of trying a service many times.

    Attributes:
        answered: how often each server answered, by what told them apart.
        failed: how often there was no answer, by what was wrong.
        notes: what is to be known beside, each with how bad it is.
    """

    service: Service
    count: int
    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    notes: list[tuple[Outcome, str]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """The worst of it, in the doctor's words."""
        outcomes = {kind for kind, _ in self.notes}
        if self.failed or Outcome.FAIL in outcomes:
            return Outcome.FAIL.value
        return Outcome.WARN.value if Outcome.WARN in outcomes else Outcome.OK.value

    def as_json(self) -> dict[str, object]:
        """As plain data."""
        return {
            "service": str(self.service),
            "tries": self.count,
            "outcome": self.outcome,
            "answered": dict(self.answered.most_common()),
            "failed": dict(self.failed.most_common()),
            "notes": [{"outcome": kind.value, "said": said} for kind, said in self.notes],
        }

    def lines(self) -> list[str]:
        """For people."""
        text = [f"{self.service}, tried {sum(self.answered.values()) + sum(self.failed.values())} times from here"]
        total = sum(self.answered.values())
        for server, count in sorted(self.answered.items(), key=lambda each: (-each[1], each[0])):
            text.append(f"OK    {server}: answered {count} times ({count / total:.0%})")
        for reason, count in self.failed.most_common():
            text.append(f"FAIL  {count} times: {reason}")
        text += [f"{kind.upper():<4}  {said}" for kind, said in self.notes]
        return text


def try_service(
    service: Service,
    count: int,
    identify: Identify,
    weights: Mapping[str, int],
    path: str = "/",
    progress: Callable[[int, int], None] = lambda done, all_of_them: None,
) -> Trial:
    """Open so many connections to a service, one after the other, and see who answers.

    Raises:
        ValueError: the service is not TCP, the only protocol whose answer can be waited for.
        CommandFailed: this host can't be asked for its addresses.
    """
    if service.protocol is not Protocol.TCP:
        raise ValueError(
            f"{service} can't be tried: what a {service.protocol.name} service answers to is its own affair"
        )
    trial, host = Trial(service, count), Host()
    if host.has(service.vip):
        trial.notes.append(
            (
                Outcome.FAIL,
                f"this host carries {service.vip} itself: what it sends there never leaves it. A "
                "director, or a real server with the VIP, can't be a client; try from another host",
            )
        )
        return trial
    with ExitStack() as stack:
        watch = None
        if identify.how == "mac":
            try:
                watch = stack.enter_context(_watch(host, service))
            except CannotLook as reason:
                trial.notes.append((Outcome.SKIP, f"servers can't be told apart by their MACs: {reason}"))
        for number in range(count):
            progress(number, count)
            _once(trial, watch, identify, path)
    _name_macs(trial, host)
    told_apart = identify.how != "mac" or (watch is not None and _told_apart(trial, host, weights))
    if told_apart:
        _compare(trial, weights)
    elif weights:
        trial.notes.append((Outcome.SKIP, "so the shares can't be held against the weights"))
    return trial


def _watch(host: Host, service: Service) -> Wire:
    way = host.way_to(service.vip)
    if way is None:
        raise CannotLook(f"there is no route to {service.vip}")
    if way.gateway is not None:
        raise CannotLook(f"{service.vip} is behind the router {way.gateway}, whose MAC all answers have; {_OTHERWISE}")
    try:
        return Wire(way.interface, service.port)
    except OSError as error:
        raise CannotLook(f"no packet socket ({error.strerror}); run as root, or {_OTHERWISE}") from None


def _once(trial: Trial, watch: Wire | None, identify: Identify, path: str) -> None:
    service = trial.service
    try:
        with socket.create_connection((str(service.vip), service.port), _PATIENCE) as connection:
            if identify.how == "mac":
                mac = _mac_of(watch, connection.getsockname()[1]) if watch is not None else b""
                trial.answered[mac.hex(":") if mac else "somebody"] += 1
            else:
                trial.answered[_over_http(connection, service, identify, path)] += 1
    except TimeoutError:
        trial.failed[f"no answer within {_PATIENCE:.0f} s"] += 1
    except (OSError, http.client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        trial.failed[reason.lower() if reason.isupper() else reason] += 1


def _mac_of(watch: Wire, own_port: int) -> bytes:
    """Who sent the SYN-ACK of a connection that has come about: it is among the frames that came by now."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        heard = watch.receive(0.2)
        if heard is not None and heard.kind == "tcp" and heard.port == own_port and heard.flags == SYN | ACK:
            return heard.mac
    return b""


def _over_http(connection: socket.socket, service: Service, identify: Identify, path: str) -> str:
    """What a server says of itself in its answer."""
    client = http.client.HTTPConnection(endpoint(service.vip, service.port), timeout=_PATIENCE)
    client.sock = connection
    client.request("GET", path, headers={"Host": endpoint(service.vip, service.port), "Connection": "close"})
    answer = client.getresponse()
    if identify.how == "header":
        return answer.getheader(identify.header) or f"somebody without a header {identify.header}"
    lines = answer.read(4096).decode(errors="replace").strip().splitlines()
    return lines[0][:_LONGEST_NAME] if lines else "an empty body"


def _name_macs(trial: Trial, host: Host) -> None:
    """Say whose MAC it is, as far as this host's neighbour table knows."""
    names: dict[str, list[str]] = {}
    for each in host.neighbours:
        if each.mac and not each.address.is_link_local and each.address != trial.service.vip:
            names.setdefault(each.mac, []).append(str(each.address))
    trial.answered = Counter(
        {f"{server} ({', '.join(sorted(names[server]))})" if server in names else server: count
         for server, count in trial.answered.items()}
    )  # fmt: skip


def _told_apart(trial: Trial, host: Host, weights: Mapping[str, int]) -> bool:
    """Whether MACs tell servers apart: not where one is that of somebody by whom several may answer."""
    vip = trial.service.vip
    way = host.default_way(vip.version)
    between = {vip: f"that of whoever has {vip}: a director answers by it for itself and for whom it masquerades"}
    if way is not None and way.gateway is not None:
        between[way.gateway] = f"that of the router {way.gateway}: by it anybody behind it answers"
    told_apart = True
    for each in host.neighbours:
        if each.address not in between or not each.mac:
            continue
        server = next((server for server in trial.answered if _is(server, each.mac)), None)
        if server is not None and not any(_is(server, name) for name in weights):
            trial.notes.append((Outcome.SKIP, f"{each.mac} is {between[each.address]}; {_OTHERWISE}"))
            told_apart = False
    return told_apart


def _compare(trial: Trial, weights: Mapping[str, int]) -> None:
    """Hold the shares against the weights, if these are told."""
    if not weights:
        return
    total, whole = sum(trial.answered.values()), sum(weights.values())
    found = {name: sum(count for server, count in trial.answered.items() if _is(server, name)) for name in weights}
    for server in trial.answered:
        if not any(_is(server, name) for name in weights):
            trial.notes.append((Outcome.WARN, f"{server} answered, and no weight was told for it"))
    for name, weight in weights.items():
        if not whole or not total:
            continue
        share = weight / whole
        expected = total * share
        allowed = max(1.0, _TOLERANCE * math.sqrt(total * share * (1 - share)))
        told = f"{name}: {found[name]} answers, {expected:.1f} expected by its weight {weight}"
        if abs(found[name] - expected) <= allowed:
            trial.notes.append((Outcome.OK, told))
        elif not found[name]:
            trial.notes.append((Outcome.FAIL, f"{told}: it never answered"))
        else:
            trial.notes.append((Outcome.WARN, f"{told}; persistence or a hash of the source would explain it"))


def _is(server: str, name: str) -> bool:
    """Whether what told a server apart is meant by a name: the same, or one of the addresses behind a MAC."""
    known, _, rest = server.partition(" (")
    return name in (server, known) or name in rest.rstrip(")").split(", ")
