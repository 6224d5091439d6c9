"""What labs there are and what goes on in them."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lab import breaking, state
from directrix.lab.privilege import require_root
from directrix.system import namespaces


@dataclass(frozen=True, slots=True)
class HostOverview:
    """A host as it is now. `present` is whether its namespace is there, `processes` are ids."""

    name: str
    role: str
    namespace: str
    addresses: tuple[str, ...]
    present: bool
    processes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabOverview:
    """A lab as it is now. `state` is `up`, or `incomplete`: being built, or left over from a crash.

    `broken` is what `directrix lab break` broke, each as `BREAK on HOST`.
    """

    name: str
    state: str
    title: str
    source: str
    vips: tuple[str, ...]
    hosts: tuple[HostOverview, ...]
    broken: tuple[str, ...] = ()


def overview() -> list[LabOverview]:
    """All labs, by name.

    Raises:
        LabError: we are not root; others don't see whose processes live where.
    """
    require_root()
    return [_lab(name) for name in state.names()]


def _lab(name: str) -> LabOverview:
    known = state.read(name)
    if known is None:
        return LabOverview(name, "incomplete", "", "", (), ())
    hosts = tuple(_host(host) for host in known.hosts)
    whole = known.complete and all(host.present for host in hosts)
    broken = tuple(f"{each.name} on {each.host}" for each in breaking.broken(name))
    return LabOverview(name, "up" if whole else "incomplete", known.title, known.source, known.vips, hosts, broken)


def _host(host: state.HostState) -> HostOverview:
    identity = namespaces.identity(host.namespace)
    processes = tuple(namespaces.processes(identity)) if identity else ()
    return HostOverview(host.name, host.role, host.namespace, host.addresses, identity is not None, processes)
