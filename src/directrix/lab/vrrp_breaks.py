"""The ways in which directors lose sight of each other, each made on purpose."""

from __future__ import annotations

import shlex
from ipaddress import ip_interface
from pathlib import Path

from directrix.keepalived import loads
from directrix.keepalived.values import VrrpInstance
from directrix.lab import directing
from directrix.lab.breaking import Break, Scene
from directrix.lab.definition import SWITCH, Role
from directrix.lab.errors import LabError
from directrix.lab.state import HostState
from directrix.lvs import Address
from directrix.system import namespaces

_TABLE = "lab_break_vrrp"


def _filter(scene: Scene) -> None:
    _instance(scene, scene.host)
    _forbid(scene, f"inet {_TABLE}", "input", "meta l4proto 112 drop")


def _switch(scene: Scene) -> None:
    _keep_configurations(scene)
    _forbid(scene, f"bridge {_TABLE}", "forward", "ip daddr 224.0.0.18 drop; ip6 daddr ff02::12 drop")


def _forbid(scene: Scene, table: str, hook: str, rules: str) -> None:
    scene.do(
        f"nft 'table {table} {{ chain {hook} {{ type filter hook {hook} priority filter; {rules}; }}; }}'",
        f"nft delete table {table} 2>/dev/null || true",
    )


def _password(scene: Scene) -> None:
    """Version 3 knows no passwords, so both speak version 2 meanwhile, as most configurations do."""
    _keep_configurations(scene)
    *others, last = _directors(scene)
    for host in (*others, last):
        password = "another" if host is last else "secret"
        block = rf"    authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}"
        already = _instance(scene, host).authentication is not None
        edits = [f"s/auth_pass .*/auth_pass {password}/"] if already else ["/vrrp_instance .*\\{/a\\" + block]
        _edit(scene, host, *edits, r"s/^( *)version 3/\1version 2/", r"s/^( *)advert_int .*/\1advert_int 1/")


def _addresses(scene: Scene) -> None:
    taken = {ip_interface(address).ip for host in scene.lab.hosts for address in host.addresses} | set(scene.vips)
    vip: Address = scene.vips[0]
    while vip in taken:
        vip += 1
    _keep_configurations(scene)
    _edit(scene, scene.host, rf"s/virtual_ipaddress \{{/&\n        {vip}/")


def _stranger(scene: Scene) -> None:
    """A director of another cluster, with the same id and an address of its own."""
    directors = _directors(scene)
    ours = _instance(scene, directors[0])
    network = next(iter(scene.addresses(directors[0]))).network
    device = scene.device_of(next(iter(scene.addresses(directors[0]))).ip)
    _keep_configurations(scene)
    with namespaces.inside(scene.host.namespace):
        running = directing.runtime_directory()
    place = directing.directory(scene.lab.name, scene.host.name)
    scene.note(
        f"[ ! -s {running}/pid ] || kill $(cat {running}/pid); "
        f"timeout 20 sh -c 'while [ -s {running}/pid ]; do sleep 0.05; done'; "
        f"directrix down --quiet; rm -rf {place} {running}"
    )
    directing.prepare(
        scene.lab.name,
        scene.host.name,
        f"vrrp_instance stranger {{\n    interface {device}\n    virtual_router_id {ours.virtual_router_id}\n"
        f"    version {ours.version}\n    advert_int {float(ours.advert_int):g}\n    virtual_ipaddress {{\n"
        f"        {network.broadcast_address - 54}\n    }}\n}}\n",
    )
    directing.start(scene.lab.name, scene.host)


def _directors(scene: Scene) -> list[HostState]:
    """The cluster's directors, if they are two or more with a daemon each.

    Raises:
        LabError: they are not.
    """
    found = [host for host in scene.lab.hosts if host.role == Role.DIRECTOR]
    if len(found) < 2 or not all(directing.has_daemon(scene.lab.name, host.name) for host in found):
        raise LabError(f"lab {scene.lab.name!r} has no two directors that speak VRRP", "use a lab like failover")
    return found


def _instance(scene: Scene, host: HostState) -> VrrpInstance:
    """The first virtual router of a director, as it is configured now.

    Raises:
        LabError: there is none.
    """
    _directors(scene)
    instances = loads(_file(scene, host).read_text(), config_id=host.name).configuration.instances
    if not instances:
        raise LabError(f"{host.name} has no vrrp_instance", "use a lab like failover")
    return instances[0]


def _keep_configurations(scene: Scene) -> None:
    """Have every director go back to the configuration it has now, whatever becomes of it."""
    for host in _directors(scene):
        file = _file(scene, host)
        before = f"{file}.{scene.kind}"
        scene.do(f"cp {file} {before}", f"mv {before} {file}; {_reload(host)} || true", host)


def _edit(scene: Scene, host: HostState, *scripts: str) -> None:
    words = " ".join(f"-e {shlex.quote(script)}" for script in scripts)
    scene.do(f"sed -i -E {words} {_file(scene, host)} && {_reload(host)}", "true", host)


def _file(scene: Scene, host: HostState) -> Path:
    return directing.directory(scene.lab.name, host.name) / directing.CONFIGURATION


def _reload(host: HostState) -> str:
    """A command that has a director read its configuration again, and waits until it has."""
    with namespaces.inside(host.namespace):
        return f"curl -sf --unix-socket {directing.runtime_directory()}/api.sock -d '' http://director/v1/reload"


VRRP_BREAKS = (
    Break(
        "vrrp-filter",
        "a backup's own rules drop the adverts of the master",
        "both directors hold the VIP, and clients go now to one, now to the other",
        Role.DIRECTOR,
        _filter,
        last=True,
    ),
    Break(
        "vrrp-switch",
        "the switch passes nothing on that is sent to VRRP's multicast groups",
        "both directors hold the VIP",
        SWITCH,
        _switch,
    ),
    Break(
        "vrrp-password",
        "the directors' passwords differ (in version 2 of VRRP, which has passwords)",
        "both directors hold the VIP",
        Role.DIRECTOR,
        _password,
        last=True,
    ),
    Break(
        "vrrp-addresses",
        "a backup was given another VIP, which the master was not",
        "both directors hold the VIP",
        Role.DIRECTOR,
        _addresses,
        last=True,
    ),
    Break(
        "vrrp-stranger",
        "another cluster on the same wire uses the same virtual router id; its director is the client",
        "nothing, as long as nobody uses virtual MAC addresses",
        Role.CLIENT,
        _stranger,
    ),
)
"""See `breaks.BREAKS`."""
