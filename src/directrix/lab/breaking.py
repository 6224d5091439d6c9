"""Breaking a lab on purpose, and healing it.

What a break changes it writes down first, with the command that changes it back, in `breaks.json`
beside the lab's `state.json`. The commands of healing make something so, whatever it is by then:
who was killed halfway is healed by them, and so is a lab that was mended by hand.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface, IPv6Interface

from directrix.lab import state
from directrix.lab.choosing import choose_host
from directrix.lab.errors import LabError
from directrix.lab.inside import in_shell
from directrix.lab.reading import suggest
from directrix.lab.state import HostState, LabState
from directrix.lvs import Address
from directrix.system import namespaces, sysctl
from directrix.system.commands import CommandFailed, run

_FILE = "breaks.json"


@dataclass(frozen=True, slots=True)
class Undo:
    """A command that changes something back on a host."""

    host: str
    command: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A break that is in force: its name, where, and how it is healed, in the order of making."""

    name: str
    host: str
    undo: tuple[Undo, ...] = ()


class Scene:
    """A lab while something in it is being broken, and the host it is about."""

    def __init__(self, lab: LabState, host: HostState, kind: str, done: Callable[[Undo], None]) -> None:
        self.lab = lab
        self.host = host
        self.kind = kind
        self._done = done

    @property
    def vips(self) -> list[Address]:
        """The virtual addresses of the cluster."""
        return [ipaddress.ip_address(vip) for vip in self.lab.vips]

    def of_role(self, role: str) -> HostState:
        """The first host of a role.

        Raises:
            LabError: there is none.
        """
        for host in self.lab.hosts:
            if host.role == role:
                return host
        raise LabError(f"lab {self.lab.name!r} has no {role}")

    def addresses(self, host: HostState | None = None) -> list[IPv4Interface | IPv6Interface]:
        """The addresses of a host, VIPs excluded."""
        return [ipaddress.ip_interface(address) for address in (host or self.host).addresses]

    def neighbour_address(self, host: HostState, version: int) -> IPv4Interface | IPv6Interface | None:
        """The address another host has in a network of this one; None if they share no wire."""
        for own in self.addresses():
            for other in self.addresses(host):
                if other.version == version and own.version == version and other.ip in own.network:
                    return other
        return None

    def ask(self, command: str, host: HostState | None = None) -> str:
        """What a shell command says on a host.

        Raises:
            CommandFailed: it ended with another status than 0.
        """
        with namespaces.inside((host or self.host).namespace):
            return run(["sh", "-c", command]).strip()

    def do(self, command: str, undo: str, host: HostState | None = None) -> None:
        """Change something by a shell command, and know how to change it back.

        Raises:
            CommandFailed: it ended with another status than 0.
        """
        where = host or self.host
        self._done(Undo(where.name, undo))
        run_there(where, command)

    def note(self, undo: str) -> None:
        """Know how to change something back that is going to be changed by other means."""
        self._done(Undo(self.host.name, undo))

    def set_sysctl(self, key: str, value: str) -> None:
        """Set a kernel parameter of the host, if it has it."""
        with namespaces.inside(self.host.namespace):
            before = sysctl.read(key)
        if before is not None and before != value:
            # sysctl(8) reads a name with dots if it finds a dot before a slash; slashes alone are never wrong.
            path = key.replace(".", "/") if "/" not in key else key
            self.do(f"sysctl -qw {path}={value}", f"sysctl -qw {path}={shlex.quote(before)}")

    def device_of(self, address: Address, host: HostState | None = None) -> str:
        """The interface on which a host has an address, or would reach it.

        Raises:
            LabError: it has none.
        """
        where = host or self.host
        with namespaces.inside(where.namespace):
            for entry in json.loads(run(["ip", "-json", "address", "show"])):
                networks = [
                    ipaddress.ip_interface(f"{info['local']}/{info['prefixlen']}") for info in entry["addr_info"]
                ]
                if entry["ifname"] != "lo" and any(address in known.network for known in networks):
                    return str(entry["ifname"])
        raise LabError(f"{where.name} has no interface in the network of {address}")


@dataclass(frozen=True, slots=True)
class Break:
    """A way to break a cluster, as the registry has it.

    Attributes:
        name: as `directrix lab break` takes it.
        help: what is done, in a few words.
        seen: what a client sees of it.
        role: the role of a host it is done to; of these the first, if none is named.
        make: does it.
        last: of these the last, if none is named.
    """

    name: str
    help: str
    seen: str
    role: str
    make: Callable[[Scene], None]
    last: bool = False


def run_there(host: HostState, command: str) -> str:
    """Run a shell command on a host, `directrix` meaning this one.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    with namespaces.inside(host.namespace):
        try:
            return run(["sh", "-c", in_shell(command)])
        except CommandFailed as failure:
            raise CommandFailed(command, failure.status, failure.output) from None


def break_lab(lab: LabState, kind: Break, host_name: str | None = None) -> Broken:
    """Break a lab. What fails halfway is healed again.

    Raises:
        LabError: there is no such host, the break makes no sense there, or a command failed.
    """
    with state.locked(lab.name):
        there = broken(lab.name)
        host = choose_host(lab, host_name) if host_name else _usual(lab, kind)
        if any((each.name, each.host) == (kind.name, host.name) for each in there):
            raise LabError(f"{kind.name} is in force on {host.name} already", "`directrix lab heal` undoes it")
        made = Broken(kind.name, host.name)

        def done(undo: Undo) -> None:
            nonlocal made
            made = Broken(made.name, made.host, (*made.undo, undo))
            _write(lab.name, (*there, made))

        try:
            kind.make(Scene(lab, host, kind.name, done))
        except (CommandFailed, LabError, OSError) as error:
            _undo(lab, made)
            _write(lab.name, there)
            raise error if isinstance(error, LabError) else LabError(f"{kind.name}: {error}") from None
        except BaseException:
            _undo(lab, made)
            _write(lab.name, there)
            raise
        return made


def heal_lab(lab: LabState, names: tuple[str, ...] = ()) -> list[Broken]:
    """Undo breaks, the last one first; of the names given, or all. Gives those that were undone.

    Raises:
        LabError: one of a name is not in force, or something could not be changed back; the rest was.
    """
    with state.locked(lab.name):
        there = broken(lab.name)
        known = [each.name for each in there]
        for name in names:
            if name not in known:
                raise LabError(f"{name!r} is not in force in lab {lab.name!r}{suggest(name, known)}")
        chosen = [each for each in there if not names or each.name in names]
        left = [each for each in there if each not in chosen]
        troubles = [trouble for each in reversed(chosen) for trouble in _undo(lab, each)]
        _write(lab.name, tuple(left))
    if troubles:
        raise LabError("not all could be changed back: " + "; ".join(troubles), "take the lab down and build it anew")
    return chosen


def broken(name: str) -> tuple[Broken, ...]:
    """The breaks in force in a lab, in the order in which they were made."""
    try:
        entries = json.loads((state.directory(name) / _FILE).read_bytes())
    except FileNotFoundError:
        return ()
    return tuple(
        Broken(entry["name"], entry["host"], tuple(Undo(**undo) for undo in entry["undo"])) for entry in entries
    )


def _write(name: str, breaks: tuple[Broken, ...]) -> None:
    place = state.directory(name) / _FILE
    if not breaks:
        place.unlink(missing_ok=True)
        return
    fresh = place.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(each) for each in breaks], indent=2) + "\n")
    fresh.rename(place)


def _undo(lab: LabState, made: Broken) -> list[str]:
    """Change everything back that a break changed; gives what went wrong."""
    hosts = {host.name: host for host in lab.hosts}
    troubles = []
    for undo in reversed(made.undo):
        try:
            run_there(hosts[undo.host], undo.command)
        except (CommandFailed, OSError) as error:
            troubles.append(f"on {undo.host}: {error}")
    return troubles


def _usual(lab: LabState, kind: Break) -> HostState:
    for host in reversed(lab.hosts) if kind.last else lab.hosts:
        if host.role == kind.role:
            return host
    raise LabError(f"lab {lab.name!r} has no {kind.role}, which {kind.name} is for", "name a host with --host")
