"""Making this host a real server, undoing it, and holding it against what a real server must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from directrix.realserver import encapsulation, segment_size
from directrix.realserver.carrying import check_nowhere_else
from directrix.realserver.encapsulation import read_encapsulation
from directrix.realserver.methods import DEFAULT, METHODS, TUNNEL
from directrix.realserver.methods.tunnel import arrival
from directrix.realserver.persistence import Lasting, lasting_facts
from directrix.realserver.task import Task
from directrix.system.facts import keeping, ledger
from directrix.system.facts.fact import Fact
from directrix.system.facts.keeping import Done, Holding
from directrix.system.facts.ledger import Book, Ledger
from directrix.system.facts.vip_holders import HeldVip, check_started_so, held_vips
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip, Whereabouts, look

KEPT = Path("/var/lib/directrix/realserver")
"""Ledgers of what was made to last over boots."""

_HOLDER = "realserver "
_LASTING = "lasting realserver "


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a real server; what is empty is chosen.

    Attributes:
        method: a name of `METHODS`.
        interfaces: those at which packets for the VIP arrive.
        tunnels: the kinds of tunnel they come in, as `encapsulation` writes them; only with the method `tunnel`, which
            they mean if no method is named.
        clamp_mss: the largest TCP segment clients shall be told to send: a number, `auto` for what fits, `off`;
            likewise.
    """

    method: str = ""
    interfaces: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ()
    clamp_mss: str = ""


@dataclass(frozen=True, slots=True)
class VipStatus(HeldVip):
    """A VIP held against this host.

    Attributes:
        interfaces: those at which packets for it arrive.
        tunnels: the kinds of tunnel they come in, if the method is `tunnel`.
        persist: what keeps it over boots (`systemd`, `netplan` …); empty if nothing.
    """

    interfaces: tuple[str, ...]
    tunnels: tuple[str, ...]
    persist: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a host must have to be a real server for a VIP."""

    vip: Vip
    method: str
    interfaces: tuple[str, ...]
    facts: tuple[Fact, ...] = field(repr=False)
    tunnels: tuple[str, ...] = ()
    clamp_mss: str = ""

    @property
    def holding(self) -> Holding:
        """The same for the ledger."""
        notes = {"method": self.method, "interfaces": " ".join(self.interfaces)}
        if self.tunnels:
            notes |= {"tunnels": " ".join(self.tunnels), "clamp_mss": self.clamp_mss}
        return Holding(f"{_HOLDER}{self.vip}", self.facts, notes)


def book() -> Book:
    """The book of the network namespace we are in."""
    return ledger.here(KEPT)


def plan(vip: Vip, wish: Wish, host: Whereabouts) -> Plan:
    """What a host must have to be a real server for a VIP. Asks the system for nothing but the programs there are.

    Raises:
        HostError: it can't be one in this way.
    """
    check_nowhere_else(vip, host)
    host.check_unicast(vip)
    method = wish.method or (TUNNEL if wish.tunnels or wish.clamp_mss else DEFAULT)
    if wish.interfaces:
        interfaces = tuple(host.check_interface(name) for name in dict.fromkeys(wish.interfaces))
    elif method == TUNNEL:
        interfaces = (arrival(vip, host),)
    elif vip.version == 6 and method != "redirect":
        interfaces = ()  # nothing depends on it: see the methods
    else:
        interfaces = (host.interface_of(vip),)
    if method != TUNNEL:
        if wish.tunnels or wish.clamp_mss:
            raise HostError(
                f"by {method} packets come in no tunnel", f"say --method {TUNNEL}, or leave its options out"
            )
        return Plan(vip, method, interfaces, tuple(METHODS[method](Task(vip, interfaces, host))))
    tunnels = tuple(dict.fromkeys(read_encapsulation(word) for word in wish.tunnels)) or (encapsulation.DEFAULT,)
    task = Task(vip, interfaces, host, tunnels=tunnels, clamp=segment_size.read_clamp(wish.clamp_mss))
    words = tuple(str(tunnel) for tunnel in tunnels)
    return Plan(vip, method, interfaces, tuple(METHODS[method](task)), words, wish.clamp_mss)


def start(vips: Sequence[Vip], wish: Wish, persist: str = "", *, rehearse: bool = False) -> Done:
    """Make this host a real server for some VIPs: for all, or, if that fails, for none more than before.

    Args:
        wish: how; what it leaves open is as in the start before, if there was one.
        persist: what shall keep it over boots, a name of `persistence.MANAGERS`; empty for what does already, if any.
        rehearse: change nothing, only say what would be done.

    Raises:
        HostError: it can't be done; all is as it was.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    host, records = look(), book()
    known = records.read()
    holdings = []
    for vip in vips:
        planned = plan(vip, _remembered(known, vip, wish), host)
        holdings.append(planned.holding)
        manager = persist or known.holders.get(f"{_LASTING}{vip}", {}).get("persist", "")
        if manager:
            holdings.append(_to_last(planned, manager, known))
    return keeping.start(records, holdings, rehearse=rehearse)


def stop(vips: Sequence[Vip], wish: Wish | None = None, *, persist: bool = False, rehearse: bool = False) -> Done:
    """Put back what was there before; with `persist`, take away what would start it at the next boot, too.

    Without VIPs, for all that were started. One that was not started is told in `Done.unknown`.

    Raises:
        HostError: something could not be put back; or one was started otherwise than by the wish's method and
            interfaces, and nothing was changed.
        CommandFailed, OSError: the system could not be asked.
    """
    records = book()
    known = records.read()
    chosen = list(vips) or started_vips(known)
    kinds = (_HOLDER, _LASTING) if persist else (_HOLDER,)
    if wish is not None:
        method = (wish.method,) if wish.method else ()
        holders = [f"{kind}{vip}" for vip in chosen for kind in kinds]
        check_started_so(known, holders, method=method, interface=wish.interfaces)
    done = keeping.stop(records, [f"{kind}{vip}" for vip in reversed(chosen) for kind in kinds], rehearse=rehearse)
    # What lasts over boots and what is there now may each be without the other.
    nothing = [f"{_HOLDER}{vip}" for vip in chosen if all(f"{kind}{vip}" in done.unknown for kind in kinds)]
    return replace(done, unknown=tuple(nothing))


def status(vips: Sequence[Vip] = (), wish: Wish | None = None) -> tuple[VipStatus, ...]:
    """Hold VIPs against this host; without VIPs, all that were started or made to last.

    A VIP that was started is held against what was started; another one, or if a wish is given,
    against what a start would make now with what is known of it.

    Raises:
        HostError: a VIP that was not started, and the host can't be a real server for it.
        CommandFailed, OSError: the system could not be asked.
    """
    known = book().read()
    chosen = list(vips) or started_vips(known)
    found = []
    for vip in chosen:
        notes = known.holders.get(f"{_HOLDER}{vip}")
        if notes is not None and (wish is None or wish == Wish()):
            facts = [entry.fact for entry in known.held_by(f"{_HOLDER}{vip}")]
            method, interfaces = notes["method"], tuple(notes["interfaces"].split())
            tunnels = tuple(notes.get("tunnels", "").split())
        else:
            planned = plan(vip, _remembered(known, vip, wish or Wish()), look())
            facts, method, interfaces = list(planned.facts), planned.method, planned.interfaces
            tunnels = planned.tunnels
        lasting = [entry.fact for entry in known.held_by(f"{_LASTING}{vip}")]
        persist = known.holders.get(f"{_LASTING}{vip}", {}).get("persist", "")
        held = keeping.status([*facts, *lasting])
        found.append(VipStatus(vip, method, notes is not None, held, interfaces, tunnels, persist))
    return tuple(found)


def started_vips(known: Ledger) -> list[Vip]:
    """The VIPs a ledger knows of, in their order."""
    return held_vips(known, _HOLDER, _LASTING)


def _remembered(known: Ledger, vip: Vip, wish: Wish) -> Wish:
    """What a start that says less than the one before means: the same as before."""
    notes = known.holders.get(f"{_HOLDER}{vip}") or known.holders.get(f"{_LASTING}{vip}")
    if notes is None:
        return wish
    method = wish.method or (TUNNEL if wish.tunnels or wish.clamp_mss else notes["method"])
    interfaces = wish.interfaces or tuple(notes["interfaces"].split())
    if method != TUNNEL:
        return Wish(method, interfaces, wish.tunnels, wish.clamp_mss)
    tunnels = wish.tunnels or tuple(notes.get("tunnels", "").split())
    return Wish(method, interfaces, tunnels, wish.clamp_mss or notes.get("clamp_mss", ""))


def _to_last(planned: Plan, persist: str, known: Ledger) -> Holding:
    """The files that make it last, and the one that tells, after a boot, what was there before."""
    holding, lasting = planned.holding, Lasting(planned.vip, planned.method, planned.facts)
    files = Holding(f"{_LASTING}{planned.vip}", lasting_facts(persist, lasting), {**holding.notes, "persist": persist})
    kept = Ledger()
    for part in (holding, files):
        kept.holders[part.holder] = dict(part.notes)
        for fact in part.facts:
            entry = known.entries.get(fact.key)
            kept.hold(part.holder, fact, entry.before if entry is not None else fact.now())
    return Holding(files.holder, [*files.facts, ledger.kept_file(KEPT, lasting.name, kept)], files.notes)
