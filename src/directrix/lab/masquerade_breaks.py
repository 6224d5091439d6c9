"""The ways in which a cluster with masquerading can be broken."""

from __future__ import annotations

from directrix.lab.breaking import Break, Scene
from directrix.lab.definition import Role
from directrix.lab.errors import LabError


def _past_director(scene: Scene) -> None:
    """The default route leads to another real server, which forwards nothing."""
    director = scene.of_role(Role.DIRECTOR)
    other = next((each for each in scene.lab.hosts if each.role == Role.REALSERVER and each != scene.host), None)
    if other is None:
        raise LabError(f"lab {scene.lab.name!r} has no other real server", "use a lab like nat")
    for version in (4, 6):
        address, gateway = scene.neighbour_address(other, version), scene.neighbour_address(director, version)
        before = scene.ask(f"ip -{version} route show default")
        if gateway is None or f"via {gateway.ip} " not in f"{before} ":
            raise LabError(f"the director is not the default gateway of {scene.host.name}", "use a lab like nat")
        if address is not None:
            undo = f"ip -{version} route replace {before.splitlines()[0].strip()}"
            scene.do(f"ip -{version} route replace default via {address.ip}", undo)


def _no_forwarding(scene: Scene) -> None:
    switches = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    if not any(scene.ask(f"sysctl -n {switch}") == "1" for switch in switches):
        raise LabError(f"{scene.host.name} forwards nothing of others anyway", "use a lab like nat")
    for switch in switches:
        scene.set_sysctl(switch, "0")


MASQUERADE_BREAKS = (
    Break(
        "past-director",
        "a masqueraded real server's default route leads past the director",
        "its connections time out, though the director reaches it",
        Role.REALSERVER,
        _past_director,
    ),
    Break(
        "no-forwarding",
        "the director's ip_forward is switched off",
        "connections time out; real servers behind it reach nobody",
        Role.DIRECTOR,
        _no_forwarding,
    ),
)
"""As `breaks` has them; they need a lab like nat."""
