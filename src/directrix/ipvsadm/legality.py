"""Which options a command takes: ipvsadm's table of legal combinations."""

from __future__ import annotations

from typing import Final

from directrix.ipvsadm.errors import Refusal
from directrix.ipvsadm.vocabulary import BIT, OPTION_NAMES, Command
from directrix.lvs import TunnelType

_SERVICE_VALUES = ("scheduler", "persistent", "netmask", "ops", "pe", "sched-flags")
_TUNNEL_VALUES = ("tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum")
_SERVER_VALUES = ("forwarding-method", "weight", "u-threshold", "l-threshold", *_TUNNEL_VALUES)
_LISTING_MODES = ("stats", "rate", "thresholds", "persistent-conn", "tun-info", "nosort", "exact", "json")
_DAEMON_VALUES = ("mcast-interface", "syncid", "mcast-group", "mcast-port", "mcast-ttl", "sync-maxlen")

_REQUIRED: Final[dict[Command, tuple[str, ...]]] = {
    Command.ADD_SERVICE: ("service-address",),
    Command.EDIT_SERVICE: ("service-address",),
    Command.DELETE_SERVICE: ("service-address",),
    Command.ADD_SERVER: ("service-address", "real-server"),
    Command.EDIT_SERVER: ("service-address", "real-server"),
    Command.DELETE_SERVER: ("service-address", "real-server"),
}
_EXCLUSIVE: Final[dict[Command, tuple[str, ...]]] = {
    Command.LIST: ("connection", "service-address", "timeout", "daemon"),
}
_OPTIONAL: Final[dict[Command, tuple[str, ...]]] = {
    Command.ADD_SERVICE: _SERVICE_VALUES,
    Command.EDIT_SERVICE: _SERVICE_VALUES,
    Command.LIST: ("numeric", "syncid", *_LISTING_MODES),
    Command.ADD_SERVER: _SERVER_VALUES,
    Command.EDIT_SERVER: _SERVER_VALUES,
    Command.START_DAEMON: _DAEMON_VALUES,
    Command.STOP_DAEMON: ("syncid",),
    Command.RESTORE: ("atomic",),
    Command.SAVE: ("numeric",),
    Command.ZERO: ("service-address",),
}


def _bits(names: tuple[str, ...]) -> int:
    return sum(BIT[name] for name in names)


_REQUIRED_BITS = {command: _bits(_REQUIRED.get(command, ())) for command in Command}
_EXCLUSIVE_BITS = {command: _bits(_EXCLUSIVE.get(command, ())) for command in Command}
_LEGAL_BITS = {
    command: _REQUIRED_BITS[command] | _EXCLUSIVE_BITS[command] | _bits(_OPTIONAL.get(command, ()))
    for command in Command
}

_CHECKSUMS = BIT["tun-nocsum"] | BIT["tun-csum"] | BIT["tun-remcsum"]
_TUNNEL_REQUIRED = {TunnelType.IPIP: 0, TunnelType.GUE: BIT["tun-port"], TunnelType.GRE: 0}
_TUNNEL_EXCLUSIVE = {
    TunnelType.IPIP: 0,
    TunnelType.GUE: _CHECKSUMS,
    TunnelType.GRE: BIT["tun-nocsum"] | BIT["tun-csum"],
}
_TUNNEL_CHECKED = BIT["tun-port"] | _CHECKSUMS


def check_command(command: Command, given: int) -> None:
    """Check the options given with a command, a set of bits.

    Raises:
        Refusal: with the first fault in the order of OPTION_NAMES.
    """
    _check(given, _REQUIRED_BITS[command], _LEGAL_BITS[command], _EXCLUSIVE_BITS[command], command.value, "command")


def check_tunnel(kind: TunnelType, given: int) -> None:
    """Check the options given with a tunnel type.

    Raises:
        Refusal: with the first fault.
    """
    required, exclusive = _TUNNEL_REQUIRED[kind], _TUNNEL_EXCLUSIVE[kind]
    _check(given & _TUNNEL_CHECKED, required, required | exclusive, exclusive, kind.name.lower(), "tunnel type")


def _check(given: int, required: int, legal: int, exclusive: int, whose: str, what: str) -> None:
    chosen = given & exclusive
    if given & required == required and not given & ~legal and not chosen & (chosen - 1):
        return
    first = ""
    for name in OPTION_NAMES:
        bit = BIT[name]
        if not given & bit:
            if required & bit:
                raise Refusal(f"You need to supply the '{name}' option for the '{whose}' {what}")
        elif not legal & bit:
            raise Refusal(f"Illegal '{name}' option with the '{whose}' {what}")
        elif exclusive & bit:
            if first:
                raise Refusal(f"The option '{name}' conflicts with the '{first}' option in the '{whose}' {what}")
            first = name


_NOT_TABLES = BIT["connection"] | BIT["timeout"] | BIT["daemon"]
_NUMBERS = BIT["stats"] | BIT["rate"] | BIT["thresholds"]


def check_listing(given: int) -> None:
    """Check that what is to be listed can be listed in the way asked for.

    Raises:
        Refusal: it can't.
    """
    if (given & _NOT_TABLES and given & _NUMBERS) or (
        given & (BIT["timeout"] | BIT["daemon"]) and given & BIT["persistent-conn"]
    ):
        raise Refusal("options conflicts in the list command")
