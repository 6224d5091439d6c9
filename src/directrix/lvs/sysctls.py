"""IPVS's sysctls (`net.ipv4.vs.*`): names, defaults, what values they take, and what they mean here.

The list, the defaults and the checks are those of Linux 6.1. A value is a number, as the kernel's
file shows it; `sync_threshold` alone is two. What has no meaning for directrix's own table is kept
like the rest, so that scripts and configuration files go on working, and `inert` says why. What
IPVS does not have stands among them under a directory of its own (`net.directrix.*`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from directrix.lvs.errors import TableError

SysctlValue = int | tuple[int, int]

DIRECTORY = "net.ipv4.vs."
"""What sysctl(8) puts before every name; with slashes instead of dots it means the same."""

OUR_DIRECTORY = "net.directrix."
"""The same before those that only directrix's own table has."""

_INT = 1 << 31
_MOST_SECONDS = (_INT - 1) // 100


class BadSysctl(TableError):
    """ENOENT: there is no such sysctl; EINVAL: it does not take this value. The words are sysctl(8)'s."""

    def __init__(self, number: int, said: str, advice: str) -> None:
        super().__init__(number, f"{said}: {os.strerror(number)} ({advice})")


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One sysctl.

    Attributes:
        name: without its directory.
        default: what the kernel's IPVS starts with. That of sync_qlen_max depends on the machine there.
        meaning: what it does in IPVS.
        takes: the values it takes, for people.
        fits: whether it takes a value.
        inert: why it has no effect on directrix's own table; empty if it has one.
        directory: what stands before its name: OUR_DIRECTORY if IPVS does not have it.
    """

    name: str
    default: SysctlValue
    meaning: str
    takes: str
    fits: Callable[[SysctlValue], bool]
    inert: str = ""
    directory: str = DIRECTORY

    @property
    def full_name(self) -> str:
        """As sysctl(8) shows it."""
        return self.directory + self.name

    def parse(self, text: str) -> SysctlValue:
        """The value a text means, with the kernel's notations: decimal, 0x and 0 for hexadecimal and octal.

        Raises:
            BadSysctl: it is none that this sysctl takes.
        """
        try:
            numbers = [_number(word) for word in text.split()]
        except ValueError:
            numbers = []
        wanted = 2 if isinstance(self.default, tuple) else 1
        if len(numbers) != wanted:
            raise self.refusal()
        value = numbers[0] if wanted == 1 else (numbers[0], numbers[1])
        self.check(value)
        return value

    def check(self, value: SysctlValue) -> None:
        """Refuse a value it does not take.

        Raises:
            BadSysctl: EINVAL, as the kernel.
        """
        if isinstance(value, tuple) is not isinstance(self.default, tuple) or not self.fits(value):
            raise self.refusal()

    def refusal(self) -> BadSysctl:
        """The refusal of a value."""
        return BadSysctl(errno.EINVAL, f'setting key "{self.full_name}"', f"it takes {self.takes}")


def show(value: SysctlValue) -> str:
    """A value as the kernel's file has it."""
    return "\t".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _number(word: str) -> int:
    sign, digits = (-1, word[1:]) if word.startswith("-") else (1, word)
    if not digits[:1].isdecimal():
        raise ValueError(word)
    octal = digits.startswith("0") and digits.isdecimal()
    return sign * int(digits, 8 if octal else 0)


def _between(low: int, high: int) -> Callable[[SysctlValue], bool]:
    return lambda value: isinstance(value, int) and low <= value <= high


def _power_of_two(value: SysctlValue) -> bool:
    return isinstance(value, int) and 1 <= value < _INT and value & (value - 1) == 0


def _threshold(value: SysctlValue) -> bool:
    return isinstance(value, tuple) and 0 <= value[0] < _INT and (value[0] < value[1] < _INT or value[1] == 0)


_ANY = (f"a number from {-_INT} to {_INT - 1}", _between(-_INT, _INT - 1))
_SWITCH = ("0 or 1", _between(-_INT, _INT - 1))
_MODE = ("0 (off), 1 or 2 (automatic) or 3 (always)", _between(0, 3))
_SECONDS = (f"a number of seconds from 0 to {_MOST_SECONDS}", _between(0, _MOST_SECONDS))
_COUNT = (f"a number from 0 to {_INT - 1}", _between(0, _INT - 1))
_POWER_OF_TWO = (f"a power of two from 1 to {_INT // 2}", _power_of_two)
_THRESHOLD = (f"two numbers from 0 to {_INT - 1}, the first less than the second, or the second 0", _threshold)

_NOT_SYNCHRONISED = "connections are not synchronised to another director yet"

_ALL = (
    Sysctl("am_droprate", 10, "drop_packet=3 drops every so many-th packet that would make a connection", *_ANY),
    Sysctl(
        "amemthresh", 1024, "pages of free memory below which the automatic defences are active", *_ANY,
        inert="the table's memory is all taken when it is made: the automatic modes of drop_entry, drop_packet and "
        "secure_tcp are active while fewer than a sixteenth of its connections are free",
    ),
    Sysctl("backup_only", 0, "direct no packets while a backup synchronisation daemon runs", *_SWITCH,
           inert=_NOT_SYNCHRONISED),
    Sysctl(
        "cache_bypass", 0, "send what finds no real server of a fwmark service to where it was going", *_SWITCH,
        inert="what finds no real server is answered with port unreachable; nothing is routed on",
    ),
    Sysctl(
        "conn_reuse_mode", 1,
        "a SYN on a connection that is over starts a new one: 1 in TIME_WAIT and CLOSE, 2 also in FIN_WAIT, 0 never",
        *_ANY,
    ),
    Sysctl("conntrack", 0, "keep netfilter's entries of directed connections", *_SWITCH,
           inert="packets are directed before netfilter sees them, so it has no entries of them"),
    Sysctl("debug_level", 0, "how much a debug build of IPVS logs", *_ANY,
           inert="there is no debug build; `directrix status` counts what becomes of every packet"),
    Sysctl("drop_entry", 0, "defence: end half-open and idle connections, in a 32nd of the table each second", *_MODE),
    Sysctl("drop_packet", 0, "defence: drop some of the packets that would make a connection", *_MODE),
    Sysctl("expire_nodest_conn", 0, "end connections of a removed real server at once and schedule their packets anew",
           *_SWITCH),
    Sysctl("expire_quiescent_template", 0, "templates of a real server of weight 0 keep no client any more", *_SWITCH),
    Sysctl("flood_defence", 1, "defence: in a flood a SYN gets no entry, the client's next packet does", *_MODE,
           directory=OUR_DIRECTORY),
    Sysctl("ignore_tunneled", 0, "do not direct what comes out of a tunnel that IPVS has let pass", *_SWITCH,
           inert="a packet is met at the device it comes in by, inside or outside of a tunnel, and never twice"),
    Sysctl("lblc_expiration", 86400, "seconds after which the scheduler lblc forgets an address unused", *_SECONDS),
    Sysctl("lblcr_expiration", 86400, "seconds after which the scheduler lblcr shrinks a set of servers unchanged",
           *_SECONDS),
    Sysctl("nat_icmp_send", 0, "answer port unreachable to a masqueraded server's packet without a connection",
           *_SWITCH, inert="what a masqueraded server sends without a connection is left to the host"),
    Sysctl("pmtu_disc", 1, "heed and copy DF in tunnels; 0 cuts what is too large instead", *_SWITCH),
    Sysctl("run_estimation", 1, "0 freezes rates, and the counters that --stats shows", *_SWITCH),
    Sysctl("schedule_icmp", 0, "an ICMP error may start a connection", *_SWITCH,
           inert="ICMP errors about no connection belong to the host"),
    Sysctl("secure_tcp", 0, "defence: the stricter table of TCP's states", *_MODE),
    Sysctl("sloppy_sctp", 0, "any SCTP packet but ABORT may start a connection", *_SWITCH),
    Sysctl("sloppy_tcp", 0, "any TCP packet without RST may start a connection", *_SWITCH),
    Sysctl("snat_reroute", 1, "route replies of masqueraded servers as coming from the VIP; 0: as they came",
           *_SWITCH),
    Sysctl("sync_persist_mode", 0, "synchronise only templates of persistent services", *_SWITCH,
           inert=_NOT_SYNCHRONISED),
    Sysctl("sync_ports", 1, "threads and ports to synchronise by", *_POWER_OF_TWO, inert=_NOT_SYNCHRONISED),
    Sysctl("sync_qlen_max", 4096, "synchronisation messages that may wait", *_COUNT,
           inert=_NOT_SYNCHRONISED),
    Sysctl("sync_refresh_period", 0, "seconds after which a connection is told of again", *_SECONDS,
           inert=_NOT_SYNCHRONISED),
    Sysctl("sync_retries", 0, "how often a connection's news is repeated", "0 to 3", _between(0, 3),
           inert=_NOT_SYNCHRONISED),
    Sysctl("sync_sock_size", 0, "bytes of the synchronisation sockets' buffers, 0 for the system's", *_ANY,
           inert=_NOT_SYNCHRONISED),
    Sysctl("sync_threshold", (3, 50), "packet of a connection it is first told of at, and then each so many",
           *_THRESHOLD, inert=_NOT_SYNCHRONISED),
    Sysctl("sync_version", 1, "format of the synchronisation messages", "0 or 1", _between(0, 1),
           inert=_NOT_SYNCHRONISED),
)  # fmt: skip

SYSCTLS: Mapping[str, Sysctl] = MappingProxyType({sysctl.name: sysctl for sysctl in _ALL})
"""By name, in the order in which `sysctl -a` shows them."""

OF_IPVS: Mapping[str, Sysctl] = MappingProxyType(
    {name: sysctl for name, sysctl in SYSCTLS.items() if sysctl.directory == DIRECTORY}
)
"""Those that the kernel's IPVS has."""

DEFAULTS: Mapping[str, SysctlValue] = MappingProxyType({sysctl.name: sysctl.default for sysctl in _ALL})

INERT: Mapping[str, str] = MappingProxyType({sysctl.name: sysctl.inert for sysctl in _ALL if sysctl.inert})
"""Those without effect on directrix's own table, and why."""


def bare_name(text: str) -> str | None:
    """The name without its directory, written with dots or slashes; None if it is of another directory."""
    name = text.replace("/", ".")
    for directory in (DIRECTORY, OUR_DIRECTORY):
        bare = name.removeprefix(directory)
        if bare != name:
            known = SYSCTLS.get(bare)
            return bare if known is None or known.directory == directory else None
    return None if "." in name else name


def find(name: str) -> Sysctl:
    """The sysctl of this bare name.

    Raises:
        BadSysctl: ENOENT: there is none.
    """
    try:
        return SYSCTLS[name]
    except KeyError:
        path = f"/proc/sys/{DIRECTORY.replace('.', '/')}{name}"
        raise BadSysctl(errno.ENOENT, f"cannot stat {path}", "`directrix sysctl -a` lists what there is") from None


def check(values: Mapping[str, SysctlValue]) -> None:
    """Refuse a mapping with a name that is none or a value that does not fit.

    Raises:
        BadSysctl: names the first.
    """
    for name, value in values.items():
        find(name).check(value)
