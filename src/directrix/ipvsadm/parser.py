"""From words to a request: what each option means, and what may not be said.

Options mean something from left to right, as in ipvsadm: the service decides how a netmask after
it is read and which port a real server after it gets by default. What only the whole line can
decide (legality, scheduler flags, families, tunnels) is checked at the end, in ipvsadm's order.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final

from directrix.ipvsadm import legality, popt
from directrix.ipvsadm.errors import TRY_HELP, OptionError, Refusal
from directrix.ipvsadm.names import Names
from directrix.ipvsadm.request import Request
from directrix.ipvsadm.values import MAX_PORT, endpoint, ipv4, leading_number, number
from directrix.ipvsadm.vocabulary import BIT, OPTION_NAMES, Command
from directrix.lvs import (
    Family,
    ForwardingMethod,
    Protocol,
    SchedulerFlags,
    Timeouts,
    TunnelFlags,
    TunnelType,
)
from directrix.lvs.addresses import family_of
from directrix.lvs.daemon import DaemonRole

DEFAULT_SCHEDULER: Final = "wlc"
DEFAULT_PERSISTENCE: Final = 360
MAX_TIMEOUT: Final = 31 * 24 * 60 * 60
MAX_INT: Final = 0x7FFFFFFF
MAX_FWMARK: Final = 0xFFFFFFFF
MAX_SYNC_MESSAGE: Final = 65507
LONGEST_NAME: Final = 16
"""Scheduler and engine names are cut to this length before the kernel sees them."""
LONGEST_FLAGS: Final = 127
"""So are the words of -b."""


def parse(words: Sequence[str], names: Names) -> Request:
    """The request that words ask for. Without words it is a listing.

    Raises:
        Refusal: the words make no legal request; it has ipvsadm's message and exit status.
    """
    if not words:
        return Request(Command.LIST)
    leftover: list[str] = []
    options = popt.cut(words, leftover)
    request = _first(options)
    if request.command in (Command.HELP, Command.VERSION):
        return request
    for name, argument, word in options:
        take = _TAKERS.get(name)
        if take is None:
            raise Refusal(f"invalid option `{word}'", word=word)
        try:
            take(request, argument, names)
        except Refusal as refusal:
            refusal.word = word
            raise
    if request.command is Command.SET:
        request.timeouts = _timeouts(leftover)
        del leftover[:3]
    if leftover:
        raise Refusal(f"unexpected argument {leftover[0]}", word=leftover[0])
    if request.flag_words:
        request.flags = _scheduler_flags(request.scheduler, request.flag_words)
    legality.check_command(request.command, request.given)
    finish = _FINISHERS.get(request.command)
    if finish is not None:
        finish(request)
    return request


def _first(options: popt.Cuts) -> Request:
    try:
        name, argument, _ = next(options, ("", None, ""))
    except OptionError:
        raise TRY_HELP from None
    command = _COMMANDS.get(name)
    if command is None:
        raise TRY_HELP
    role = _ROLES.get(argument or "")
    if command is Command.START_DAEMON and role is None:
        raise Refusal("illegal start-daemon parameter specified")
    if command is Command.STOP_DAEMON and role is None:
        raise Refusal("illegal start_daemon specified")
    return Request(command, role=role)


_ROLES = {"master": DaemonRole.MASTER, "backup": DaemonRole.BACKUP}

_COMMANDS: Final = {
    "add-service": Command.ADD_SERVICE,
    "edit-service": Command.EDIT_SERVICE,
    "delete-service": Command.DELETE_SERVICE,
    "clear": Command.FLUSH,
    "list": Command.LIST,
    "zero": Command.ZERO,
    "add-server": Command.ADD_SERVER,
    "edit-server": Command.EDIT_SERVER,
    "delete-server": Command.DELETE_SERVER,
    "set": Command.SET,
    "help": Command.HELP,
    "version": Command.VERSION,
    "restore": Command.RESTORE,
    "save": Command.SAVE,
    "start-daemon": Command.START_DAEMON,
    "stop-daemon": Command.STOP_DAEMON,
}


def _timeouts(words: list[str]) -> Timeouts:
    if len(words) < 3:
        raise Refusal("--set option requires 3 timeout values")
    tcp, tcp_fin, udp = (_timeout(word, 0) for word in words[:3])
    return Timeouts(tcp, tcp_fin, udp)


def _timeout(text: str, low: int) -> int:
    value = number(text, low, MAX_TIMEOUT)
    if value is None:
        raise Refusal(f"invalid timeout value `{text}' specified")
    return value


# What each option does to the request. Every taker but those of -6 and --sort refuses to be
# called twice.

Taker = Callable[[Request, str | None, Names], None]


def _once(request: Request, option: str) -> None:
    bit = BIT[option]
    if request.given & bit:
        raise Refusal(f"multiple '{option}' options specified")
    request.given |= bit


def _switch(option: str) -> Taker:
    """An option that is only noted."""

    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, option)

    return take


def _bounded(option: str, attribute: str, low: int, high: int, problem: str) -> Taker:
    """An option with a number."""

    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, option)
        value = number(argument or "", low, high)
        if value is None:
            raise Refusal(problem)
        setattr(request, attribute, value)

    return take


def _text(option: str, attribute: str, length: int | None = None) -> Taker:
    """An option with a text, cut to a length."""

    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, option)
        setattr(request, attribute, (argument or "")[:length])

    return take


def _service(protocol: Protocol) -> Taker:
    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, "service-address")
        request.protocol = protocol
        found = endpoint(argument or "", protocol, names)
        if found is None:
            raise Refusal("illegal virtual server address[:port] specified")
        request.address = found.address
        request.port = found.port or 0
        request.family = family_of(found.address)
        if request.family is Family.INET6:
            request.netmask = 128

    return take


def _fwmark(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "service-address")
    value = number(argument or "", 1, MAX_FWMARK)
    if value is None:
        raise Refusal(f"invalid fwmark value `{argument}' specified")
    # ipvsadm says TCP here, so that a real server's port may be a TCP service's name.
    request.protocol = Protocol.TCP
    request.fwmark = value
    request.family = Family.INET


def _ipv6(request: Request, argument: str | None, names: Names) -> None:
    if not request.fwmark:
        raise Refusal("-6 used before -f\n")
    request.family = Family.INET6
    request.netmask = 128


def _persistent(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "persistent")
    request.persistence = DEFAULT_PERSISTENCE if argument is None else _timeout(argument, 1)


def _netmask(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "netmask")
    text = argument or ""
    if request.family is Family.INET6:
        request.netmask = leading_number(text)
        if not 1 <= request.netmask <= 128:
            raise Refusal("illegal ipv6 netmask specified")
        return
    mask = ipv4(text, names)
    if mask is None:
        raise Refusal("illegal virtual server persistent mask specified")
    request.netmask = int(mask)


def _one_packet(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "ops")
    request.one_packet = True


def _real_server(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "real-server")
    found = endpoint(argument or "", request.protocol, names)
    if found is None:
        raise Refusal("illegal real server address[:port] specified")
    request.server_address = found.address
    request.server_port = request.port if found.port is None else found.port


def _forwarding(method: ForwardingMethod) -> Taker:
    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, "forwarding-method")
        request.method = method

    return take


def _tunnel_type(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "tun-type")
    kind = _TUNNEL_TYPES.get(argument or "")
    if kind is None:
        raise Refusal("illegal tunnel type specified")
    request.tunnel_type = kind


_TUNNEL_TYPES = {"ipip": TunnelType.IPIP, "gue": TunnelType.GUE, "gre": TunnelType.GRE}


def _checksum(option: str, flags: TunnelFlags) -> Taker:
    def take(request: Request, argument: str | None, names: Names) -> None:
        _once(request, option)
        request.tunnel_flags |= flags

    return take


def _multicast_group(request: Request, argument: str | None, names: Names) -> None:
    _once(request, "mcast-group")
    text = argument or ""
    family = Family.INET6 if ":" in text else Family.INET
    try:
        group = ip_address(socket.inet_pton(family, text))
        legal = group.is_multicast
    except (OSError, ValueError):
        legal = False
    if not legal:
        raise Refusal(f"invalid {'IPv6' if family is Family.INET6 else 'IPv4'} mcast-group `{text}'")
    request.group = group


def _nothing(request: Request, argument: str | None, names: Names) -> None:
    """--sort: listings are sorted anyway."""


_TAKERS: Final[dict[str, Taker]] = {
    "tcp-service": _service(Protocol.TCP),
    "udp-service": _service(Protocol.UDP),
    "sctp-service": _service(Protocol.SCTP),
    "fwmark-service": _fwmark,
    "ipv6": _ipv6,
    "scheduler": _text("scheduler", "scheduler", LONGEST_NAME),
    "persistent": _persistent,
    "netmask": _netmask,
    "ops": _one_packet,
    "pe": _text("pe", "engine", LONGEST_NAME),
    "sched-flags": _text("sched-flags", "flag_words", LONGEST_FLAGS),
    "real-server": _real_server,
    "gatewaying": _forwarding(ForwardingMethod.DIRECT),
    "ipip": _forwarding(ForwardingMethod.TUNNEL),
    "masquerading": _forwarding(ForwardingMethod.MASQUERADE),
    "weight": _bounded("weight", "weight", 0, MAX_INT, "illegal weight specified"),
    "u-threshold": _bounded("u-threshold", "upper_threshold", 0, MAX_INT, "illegal u_threshold specified"),
    "l-threshold": _bounded("l-threshold", "lower_threshold", 0, MAX_INT, "illegal l_threshold specified"),
    "tun-type": _tunnel_type,
    "tun-port": _bounded("tun-port", "tunnel_port", 1, MAX_PORT, "illegal tunnel port specified"),
    "tun-nocsum": _checksum("tun-nocsum", TunnelFlags.NOCSUM),
    "tun-csum": _checksum("tun-csum", TunnelFlags.CSUM),
    "tun-remcsum": _checksum("tun-remcsum", TunnelFlags.REMCSUM),
    "mcast-group": _multicast_group,
    "mcast-interface": _text("mcast-interface", "interface", LONGEST_NAME),
    "mcast-port": _bounded("mcast-port", "group_port", 1, MAX_PORT, "illegal mcast-port specified"),
    "mcast-ttl": _bounded("mcast-ttl", "ttl", 1, 255, "illegal mcast-ttl specified"),
    "syncid": _bounded("syncid", "sync_id", 0, 255, "illegal syncid specified"),
    "sync-maxlen": _bounded("sync-maxlen", "sync_length", 1, MAX_SYNC_MESSAGE, "illegal sync-maxlen specified"),
    "sort": _nothing,
}
_TAKERS.update((name, _switch(name)) for name in OPTION_NAMES if name not in _TAKERS and name not in _COMMANDS)


# What only the whole line can decide.


def _finish_service(request: Request) -> None:
    if not request.fwmark and not request.port and not request.persistence:
        raise Refusal("Zero port specified for non-persistent service")
    if request.one_packet and not request.fwmark and request.protocol is not Protocol.UDP:
        raise Refusal("One-Packet Scheduling is only for UDP virtual services")
    request.scheduler = request.scheduler or DEFAULT_SCHEDULER


_FLAGS: Final = {
    "flag-1": ("", SchedulerFlags.FLAG_1),
    "flag-2": ("", SchedulerFlags.FLAG_2),
    "flag-3": ("", SchedulerFlags.FLAG_3),
    "sh-fallback": ("sh", SchedulerFlags.FLAG_1),
    "sh-port": ("sh", SchedulerFlags.FLAG_2),
    "mh-fallback": ("mh", SchedulerFlags.FLAG_1),
    "mh-port": ("mh", SchedulerFlags.FLAG_2),
}
"""Each flag word: the scheduler it belongs to, empty for any, and its bit."""


def _scheduler_flags(scheduler: str, words: str) -> SchedulerFlags:
    flags = SchedulerFlags.NONE
    for word in filter(None, words.split(",")):
        if word not in _FLAGS:
            raise Refusal(f"invalid scheduler flag `{word}'")
        owner, flag = _FLAGS[word]
        if owner not in ("", scheduler):
            raise Refusal(f"incompatible scheduler flag `{word}'")
        flags |= flag
    return flags


_TUNNEL_OPTIONS = sum(BIT[name] for name in ("tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"))


def _finish_server(request: Request) -> None:
    masquerade = request.method is ForwardingMethod.MASQUERADE
    # Direct routing and tunnels leave the packet's port alone, so the server's must be the service's.
    if not request.fwmark and not masquerade:
        request.server_port = request.port
    assert request.server_address is not None
    tunnel = request.method is ForwardingMethod.TUNNEL
    if not tunnel and family_of(request.server_address) is not request.family:
        raise Refusal("Different address family is allowed only for tunneling servers")
    if request.given & _TUNNEL_OPTIONS:
        if not tunnel:
            raise Refusal("Tunnel options conflict with forward method")
        legality.check_tunnel(request.tunnel_type, request.given)


def _finish_listing(request: Request) -> None:
    legality.check_listing(request.given)


_FINISHERS: Final[dict[Command, Callable[[Request], None]]] = {
    Command.ADD_SERVICE: _finish_service,
    Command.EDIT_SERVICE: _finish_service,
    Command.ADD_SERVER: _finish_server,
    Command.EDIT_SERVER: _finish_server,
    Command.LIST: _finish_listing,
}
