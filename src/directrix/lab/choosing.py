"""Finding the lab and the host a person means among those there are."""

from __future__ import annotations

from directrix.lab import state
from directrix.lab.errors import LabError
from directrix.lab.privilege import require_root
from directrix.lab.reading import suggest
from directrix.lab.state import HostState, LabState
from directrix.system import namespaces


def choose_lab(name: str | None) -> LabState:
    """The lab of a name, or, without a name, the only one there is.

    Raises:
        LabError: there is none, there are several to choose from, or we are not root.
    """
    require_root()
    known = state.read(name := name or the_only_lab())
    if known is None:
        raise no_such_lab(name)
    return known


def the_only_lab() -> str:
    """The name of the only lab there is, complete or not.

    Raises:
        LabError: there is none, or there are several.
    """
    names = state.names()
    if not names:
        raise LabError("there is no lab", "make one with `directrix lab up`")
    if len(names) > 1:
        raise LabError(
            f"there are several labs: {', '.join(names)}",
            "say which one, by its name (`--lab NAME` where a command follows)",
        )
    return names[0]


def no_such_lab(name: str) -> LabError:
    """The error for a name that is no lab's."""
    return LabError(
        f"there is no lab {name!r}{suggest(name, state.names())}", "`directrix lab status` lists those there are"
    )


def choose_host(lab: LabState, name: str) -> HostState:
    """A host of a lab.

    Raises:
        LabError: the lab has none of this name, or it is not there (any more).
    """
    hosts = {host.name: host for host in lab.hosts}
    if name not in hosts:
        raise LabError(f"lab {lab.name!r} has no host {name!r}{suggest(name, hosts)}", f"it has: {', '.join(hosts)}")
    if not namespaces.exists(hosts[name].namespace):
        raise LabError(
            f"host {name!r} of lab {lab.name!r} is not there", f"clear the lab with `directrix lab down {lab.name}`"
        )
    return hosts[name]
