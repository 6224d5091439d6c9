"""Bringing the table of this network namespace up and down, and saying how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from directrix.lvs import ServiceKey
from directrix.lvs.budget import BudgetState
from directrix.lvs.errors import InvalidRequest, TableError
from directrix.lvs.flood import NO_FLOOD, Flood
from directrix.system.links import Link
from directrix.table.interface import HandshakesByServer
from directrix.table.xdp import attachment, handover, layout, libbpf, loader, pins
from directrix.table.xdp.attachment import Attachment
from directrix.table.xdp.devices import Device, among, devices, interface_names, links_and_list
from directrix.table.xdp.host import check_host
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.table import XdpTable
from directrix.table.xdp.verdicts import VERDICTS, Verdict


@dataclass(frozen=True, slots=True)
class Skipped:
    """A device that was left alone, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hop:
    """Where frames for a real server go. `state` is one of layout.HOP_STATES; `mac` is empty unless resolved."""

    service: str
    server: str
    state: str
    interface: str
    mac: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a table stands. `changed` names devices that are served, and not as the data plane was told."""

    connections: int
    max_connections: int
    memory: int
    attachments: tuple[tuple[Attachment, bool], ...]
    verdicts: tuple[tuple[Verdict, int], ...]
    hops: tuple[Hop, ...]
    handshakes: HandshakesByServer
    program: str
    current: bool
    flood: Flood = NO_FLOOD
    budgets: Mapping[ServiceKey, BudgetState] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


def bring_up(
    interfaces: list[str] | None = None, hook: str = "auto", connections: int | None = None
) -> tuple[list[Attachment], list[Skipped]]:
    """Make the table of this namespace if there is none, and attach to devices.

    A running table keeps its services, connections and attachments, and gets this version's
    programs. Without `interfaces` every device that can carry virtual services is taken.

    Raises:
        TableUnavailable: this machine can't carry a table.
        InvalidRequest: an interface, the hook or the number of connections makes no sense.
    """
    check_host()
    if connections is not None:
        loader.check_connections(connections)
    place = pins.here()
    try:
        with place.lock():
            return _attach(place, interfaces, hook, connections)
    except BaseException:
        if not place.loaded():
            place.remove()
            pins.tidy(place.root)
        raise


def _attach(
    place: pins.Place, interfaces: list[str] | None, hook: str, connections: int | None
) -> tuple[list[Attachment], list[Skipped]]:
    fresh = not place.loaded()
    record: dict[str, Any] = {} if fresh else place.read_record()
    if fresh:
        loader.remove_leftovers(place.root)
    elif connections is not None and connections != record.get("connections"):
        raise InvalidRequest(
            f"the running table holds {record.get('connections'):,} connections; its size can't change while it runs "
            "(directrix down, then up)"
        )
    size = record.get("connections") or connections or loader.DEFAULT_CONNECTIONS
    found, as_of_now = links_and_list()
    chosen = attachment.choose(interfaces, found) if interfaces else attachment.carriers(found)
    before = {known.ifindex: known for known in attachment.from_record(record)}
    in_use = {ifindex: known.hook for ifindex, known in before.items()}
    if hook != "auto":
        in_use |= {link.index: hook for link in chosen}
    chosen += [link for link in found if link.index in before and link not in chosen]
    wanted = [(link, in_use.get(link.index, hook)) for link in attachment.below_vlans_first(chosen)]
    automatic = not interfaces or record.get("automatic", False)
    here = {link.index for link in found}
    done: dict[int, Attachment] = {}
    skipped: list[Skipped] = []

    def keep_record(attachments: dict[int, Attachment], followed: list[Device]) -> None:
        place.write_record(
            {
                "namespace": pins.namespace_inode(),
                "connections": size,
                "program": loader.object_hash(),
                "automatic": automatic,
                "hook": record.get("hook", "auto") if interfaces else hook,
                "devices": followed,
                "attachments": attachment.to_record(list(attachments.values())),
                "settings": attachment.tune(list(attachments.values()), record.get("settings", {})),
            }
        )

    # those of the hooks in use too, should one be refused
    programs = attachment.programs_for(wanted) | attachment.programs_for(
        [(link, before[link.index].hook) for link in found if link.index in before]
    )
    with loader.loaded(place, size, programs) as data_plane:
        maps = Maps(place)
        try:
            attachment.describe_devices(maps, found, list(before.values()))
            if attachment.uses_xdp(wanted):
                maps.front.words[layout.FRONT.offsets["up"] // 4] = handover.make(data_plane)
            for link, link_hook in wanted:
                if not interfaces and attachment.is_seen_below(link, found, done.values()):
                    continue
                try:
                    done[link.index] = attachment.attach(data_plane, link, link_hook, before.get(link.index))
                except TableError as error:
                    if interfaces:
                        raise
                    skipped.append(Skipped(link.name, error.reason))
            attachment.describe_devices(maps, found, list(done.values()))
        except BaseException:
            keep = _as_before(data_plane, before, found, done)
            if all(known.hook == "tc" for known in keep.values()):
                handover.remove()
            if before:
                # what is not done is to be done yet
                keep_record(keep, record.get("devices", []))
            raise
        finally:
            maps.close()
    for ifindex, known in before.items():
        if ifindex in done:
            continue
        attachment.detach(known)
        if not automatic and ifindex not in here and all(new.name != known.name for new in done.values()):
            done[ifindex] = known  # it was asked for by name, and is taken again when it comes back
    if all(new.hook == "tc" for new in done.values()):
        handover.remove()
    if interfaces and automatic:
        # Who names some says nothing of others that have come: the next look finds those.
        named = [each for each in as_of_now if any(each[0] == link.index for link in chosen)]
        as_of_now = among(as_of_now, [*record.get("devices", []), *named])
    keep_record(done, as_of_now)
    return list(done.values()), skipped


def _as_before(
    data_plane: libbpf.Object, before: dict[int, Attachment], found: list[Link], done: dict[int, Attachment]
) -> dict[int, Attachment]:
    """After a refusal: what was not attached is taken off, what was hangs at its old hook with the new program."""
    links = {link.index: link for link in found}
    keep = dict(before)
    for ifindex, new in done.items():
        known = before.get(ifindex)
        if known is None:
            attachment.detach(new)
        elif new.hook == known.hook:
            keep[ifindex] = new
        else:
            keep[ifindex] = attachment.attach(data_plane, links[ifindex], known.hook, new)
    return keep


def take_down() -> bool:
    """Detach everywhere, set the kernel's settings back and give the table up. False: there was none."""
    check_host()
    place = pins.here()
    if not place.loaded() and not place.read_record():
        return False
    with place.lock():
        record = place.read_record()
        for known in attachment.from_record(record):
            attachment.detach(known)
        handover.remove()
        attachment.untune(record.get("settings", {}))
        place.remove()
    pins.tidy(place.root)
    return True


def renew(record: dict[str, Any]) -> None:
    """Put this version's programs in place of those attached."""
    here = {name for _, name in interface_names()}
    bring_up([known.name for known in attachment.from_record(record) if known.name in here])


def status(*, servers: bool = True) -> Status | None:
    """How the table of this namespace stands; None if there is none.

    Without `servers` nothing is said of next hops and handshakes, which of a large table takes a while.

    Raises:
        TableUnavailable: this machine can't carry a table.
    """
    check_host()
    place = pins.here()
    if not place.loaded():
        return None
    record = place.read_record()
    table = XdpTable(place)
    try:
        if servers:
            table.look_up_hops()
        hops = tuple(_hops(table)) if servers else ()
        forwarded, replied = table.forwarded(), table.replied()
        handshakes = table.handshakes() if servers else {}
        flood, budgets = table.flood(), table.budgets()
    finally:
        table.close()
    maps = Maps(place)
    try:
        front = maps.front.bytes
        offset = layout.FRONT.offsets["verdicts"]
        counts = front[offset : offset + layout.MAX_CPUS * layout.VERDICTS * 8].cast("Q")
        found = {
            verdict.name: sum(counts[cpu * layout.VERDICTS + number] for cpu in range(maps.cpus))
            for number, verdict in enumerate(VERDICTS)
        }
        # The data plane counts what it sends at the servers alone.
        found["forwarded"] = forwarded - found["no_neighbour"] - found["local"]
        found["replied"] = replied
        buckets = maps.parameter("buckets")
        return Status(
            connections=layout.FRONT.get(front, 0, "connections"),
            max_connections=maps.parameter("max_connections"),
            memory=buckets * (layout.BUCKET_SIZE + 8),
            attachments=tuple((known, attachment.is_there(known)) for known in attachment.from_record(record)),
            verdicts=tuple((verdict, found[verdict.name]) for verdict in VERDICTS),
            hops=hops,
            handshakes=handshakes,
            program=record.get("program", ""),
            current=record.get("program") == loader.object_hash(),
            flood=flood,
            budgets=budgets,
            changed=_changed(record),
        )
    finally:
        libbpf.heard()
        maps.close()


def _changed(record: dict[str, Any]) -> tuple[str, ...]:
    known = record.get("devices", [])
    served = {attached.name for attached in attachment.from_record(record)}
    return tuple(str(each[1]) for each in devices() if each[1] in served and each not in known)


def _hops(table: XdpTable) -> list[Hop]:
    names = dict(interface_names())
    return [
        Hop(
            service,
            server,
            layout.HOP_STATES[state],
            names.get(ifindex, f"#{ifindex}") if state in (*layout.HOPS_RESOLVED, layout.HOP_UNRESOLVED) else "",
            mac.to_bytes(8, "little")[:6].hex(":") if state in layout.HOPS_RESOLVED else "",
        )
        for service, server, state, ifindex, mac in table.hops()
    ]
