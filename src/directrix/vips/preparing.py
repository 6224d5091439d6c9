"""Giving this host a director's VIPs, taking them away, and holding it against what a director must be.

- The VIP is on the interface at which packets for it arrive, as a /32 or /128: whoever asks there is
  answered, and no route to a network comes of it.
- `send_redirects` is off: a kernel that forwards tells clients of a better way to a real server,
  and the director is by-passed. (It is sent if `all` or the interface says so.) IPv6 has no such switch.
- Forwarding is on for masquerading alone: only there answers come back through the director, for it
  to pass on. Direct routing and tunnels need none.
- The interface has another IPv4 address, or the director would ask for its real servers' MACs with
  the VIP as its own address. They have that address themselves and don't answer.

A VIP that comes is announced: its neighbours may know it by the MAC of another director.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from directrix.system.facts import keeping, ledger
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.forwarding import Forwarding
from directrix.system.facts.keeping import Done, Holding
from directrix.system.facts.ledger import Book, Ledger
from directrix.system.facts.setting import Setting, of_interface
from directrix.system.facts.vip_holders import HeldVip, check_started_so, held_vips
from directrix.system.host_error import HostError
from directrix.system.whereabouts import Vip, Whereabouts, look
from directrix.vips.wires import announcements, taken

METHODS = ("direct", "tunnel", "masquerade")
DEFAULT = "direct"

_HOLDER = "director "


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a director; what is empty is chosen.

    Attributes:
        method: the forwarding method of its services, one of `METHODS`.
        interface: the one to carry the VIP.
    """

    method: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class VipStatus(HeldVip):
    """A VIP held against this host; `interface` is the one that carries it."""

    interface: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a host must have to be a director for a VIP."""

    vip: Vip
    method: str
    interface: str
    facts: tuple[Fact, ...]

    @property
    def holding(self) -> Holding:
        """The same for the ledger."""
        return Holding(f"{_HOLDER}{self.vip}", self.facts, {"method": self.method, "interface": self.interface})


def book() -> Book:
    """The book of the network namespace we are in."""
    return ledger.here()


def plan(vip: Vip, wish: Wish, host: Whereabouts) -> Plan:
    """What a host must have to be a director for a VIP.

    Raises:
        HostError: it can't be one.
    """
    _check_own(vip, host)
    host.check_unicast(vip)
    interface = host.check_interface(wish.interface) if wish.interface else host.interface_of(vip)
    method = wish.method or DEFAULT
    host.check_ipv6(vip, interface)
    _check_elsewhere(vip, interface, host)
    if vip.version == 4 and host.own_address(interface, 4) is None:
        raise HostError(
            f"{interface} has no IPv4 address but VIPs: the director would ask for its real servers by ARP with the "
            f"VIP as its own address, and they would not answer",
            f"give it one, like `ip address add ADDRESS/24 dev {interface}`",
        )
    facts: list[Fact] = []
    if vip.version == 4:
        facts = [Setting(of_interface("ipv4", name, "send_redirects"), "0") for name in ("all", interface)]
    if method == "masquerade":
        facts += [*_router_advertisements(vip, host), Forwarding(vip.version)]
    return Plan(vip, method, interface, (*facts, OwnAddress(str(vip), interface)))


def _router_advertisements(vip: Vip, host: Whereabouts) -> list[Fact]:
    """A host that forwards IPv6 forgets the default routes that routers told it of, unless `accept_ra` is 2."""
    if vip.version == 4:
        return []
    names = [link.name for link in host.links if link.type != "loopback" and link.name not in host.without_ipv6]
    return [Setting(of_interface("ipv6", name, "accept_ra"), "2", also=("0",)) for name in names]


def _check_own(vip: Vip, host: Whereabouts) -> None:
    for own in host.carriers(vip):
        if own.address.network.prefixlen < vip.max_prefixlen:
            raise HostError(
                f"{vip} is this host's own address on {own.interface} ({own.address}), and no VIP",
                "give an address that no host has for its own",
            )


def _check_elsewhere(vip: Vip, interface: str, host: Whereabouts) -> None:
    for own in host.carriers(vip):
        if own.interface != interface:
            what = " as a real server does" if own.interface == "lo" else ""
            raise HostError(
                f"{own.interface} carries {vip}{what}, and the VIP is to be on {interface}",
                f"remove it with `ip address del {own.address} dev {own.interface}`, then start again",
            )


def start(vips: Sequence[Vip], wish: Wish, *, take_over: bool = False, rehearse: bool = False) -> Done:
    """Make this host a director for some VIPs: for all, or, if that fails, for none more than before.

    A VIP that another host on the wire answers for is refused, unless we `take_over`.

    Raises:
        HostError: it can't be done; all is as it was.
        CommandFailed, OSError: the system could not be asked; nothing was changed.
    """
    host, records = look(), book()
    known = records.read()
    plans = [plan(vip, _remembered(known, vip, wish), host) for vip in vips]
    coming = {planned.vip: planned.interface for planned in plans if not host.carriers(planned.vip)}
    for vip, mac in taken(coming, host).items() if not take_over else ():
        raise HostError(
            f"{vip} is taken: the host with the MAC {mac.hex(':')} answers for it on {coming[vip]}",
            "stop it there first, or say --take-over to have it here nevertheless",
        )
    telling = [command for vip, interface in coming.items() for command in announcements(vip, interface, host)]
    done = keeping.start(records, [planned.holding for planned in plans], rehearse=rehearse)
    if not rehearse:
        for command in telling:
            # Who misses it asks again in a while: no reason to take anything back.
            with suppress(OSError):
                command.do(())
    return replace(done, commands=(*done.commands, *(command.text for command in telling)))


def announce(vips: Sequence[Vip], *, rehearse: bool = False) -> Done:
    """Tell all neighbours that some VIPs are here: those who know them at another host learn it.

    Without VIPs, all that were started.

    Raises:
        HostError: this host doesn't carry one where others could ask for it.
        CommandFailed, OSError: the system could not be asked, or takes no frames.
    """
    host = look()
    commands = []
    for vip in list(vips) or started_vips(book().read()):
        telling = [command for own in host.carriers(vip) for command in announcements(vip, own.interface, host)]
        if not telling:
            raise HostError(f"no interface that leads to others carries {vip} here", "announce it where it is carried")
        commands += telling
    for command in commands if not rehearse else ():
        command.do(())
    return Done(tuple(command.text for command in commands))


def stop(vips: Sequence[Vip], wish: Wish | None = None, *, rehearse: bool = False) -> Done:
    """Put back what was there before; without VIPs, for all that were started.

    Raises:
        HostError: something could not be put back; or one was started otherwise than the wish says, and nothing was
            changed.
        CommandFailed, OSError: the system could not be asked.
    """
    records = book()
    known = records.read()
    chosen = list(vips) or started_vips(known)
    if wish is not None:
        method, interface = ((word,) if word else () for word in (wish.method, wish.interface))
        check_started_so(known, (f"{_HOLDER}{vip}" for vip in chosen), method=method, interface=interface)
    return keeping.stop(records, [f"{_HOLDER}{vip}" for vip in reversed(chosen)], rehearse=rehearse)


def status(vips: Sequence[Vip] = (), wish: Wish | None = None) -> tuple[VipStatus, ...]:
    """Hold VIPs against this host; without VIPs, all that were started.

    A VIP that was started is held against what was started; another one, or if a wish is given,
    against what a start would make now.

    Raises:
        HostError: a VIP that was not started, and the host can't be a director for it.
        CommandFailed, OSError: the system could not be asked.
    """
    known = book().read()
    chosen = list(vips) or started_vips(known)
    found = []
    for vip in chosen:
        notes = known.holders.get(f"{_HOLDER}{vip}")
        if notes is not None and (wish is None or wish == Wish()):
            facts = [entry.fact for entry in known.held_by(f"{_HOLDER}{vip}")]
            method, interface = notes["method"], notes["interface"]
        else:
            planned = plan(vip, wish or Wish(), look())
            facts, method, interface = list(planned.facts), planned.method, planned.interface
        found.append(VipStatus(vip, method, notes is not None, keeping.status(facts), interface))
    return tuple(found)


def started_vips(known: Ledger) -> list[Vip]:
    """The VIPs a ledger has a director for, in their order."""
    return held_vips(known, _HOLDER)


def _remembered(known: Ledger, vip: Vip, wish: Wish) -> Wish:
    """What a start that says less than the one before means: the same as before."""
    notes = known.holders.get(f"{_HOLDER}{vip}")
    if notes is None:
        return wish
    return Wish(wish.method or notes["method"], wish.interface or notes["interface"])
