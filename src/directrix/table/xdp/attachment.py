"""Where packets are caught: which hook at which device, and putting it there.

`auto` takes native XDP where a driver has it, and tc everywhere else: at virtual devices XDP
would lose the checksum and segmentation state that packets of local stacks carry. Ports of a
bridge or bond are left alone, their master sees the packets. XDP at a bond of hardware runs in its
ports' drivers, and their frames count as the bond's. A VLAN device is taken for itself, unless XDP
sits below it and sees its frames first.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from directrix.lvs.errors import InvalidRequest, TableUnavailable
from directrix.system import sysctl
from directrix.system.commands import CommandFailed, run
from directrix.system.facts import ledger
from directrix.system.host_error import HostError
from directrix.system.links import Link
from directrix.table.xdp import handover, layout, libbpf
from directrix.table.xdp.maps import Maps

HOOKS = ("auto", "xdp", "xdp-generic", "tc")
_XDP_MODES = {"xdp": libbpf.XDP_NATIVE, "xdp-generic": libbpf.XDP_GENERIC}
_IP_TYPES = ("none", "ppp", "ipip", "sit", "gre", "tunnel6", "gre6")
_PORT_KINDS = ("bridge", "bond", "team")
_ONE_BUFFER = 3498
"""The largest MTU whose frames, with two tags, lie in one page beside what XDP and the kernel keep there."""

_BUFFERS_SINCE = (6, 3)
"""The first Linux that redirects frames of several buffers."""

_NEIGHBOUR_SETTINGS = {
    # An address in use is asked for again about every second, so that a real server whose MAC
    # changed is found: first at the MAC known, then, after a quarter second, by everybody. What
    # is known stays in use meanwhile, for longer than with the kernel's own settings.
    "base_reachable_time_ms": "700",
    "delay_first_probe_time": "0",
    "retrans_time_ms": "250",
    "ucast_solicit": "1",
    "mcast_solicit": "12",
    "mcast_resolicit": "20",
    # An answer is believed at once, also when the entry changed within the last second.
    "locktime": "0",
}
_LOOK_UP_SETTINGS = {
    # bpf_fib_lookup() answers only for a device that forwards; ours asks as if from lo.
    "net/ipv4/conf/lo/forwarding": "1",
    "net/ipv6/conf/lo/forwarding": "1",
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """Our program, by its id, at one device. `made_qdisc`: the clsact qdisc is ours too."""

    ifindex: int
    name: str
    hook: str
    made_qdisc: bool
    program: int


def from_record(record: dict[str, Any]) -> list[Attachment]:
    """The attachments in a record."""
    return [Attachment(**entry) for entry in record.get("attachments", ())]


def to_record(attachments: list[Attachment]) -> list[dict[str, Any]]:
    """Attachments as a record keeps them."""
    return [asdict(attachment) for attachment in attachments]


def carriers(found: list[Link]) -> list[Link]:
    """The devices that can be taken without being named."""
    return [
        link
        for link in found
        if link.name not in handover.NAMES
        and ((link.type == "ether" and link.enslaved not in _PORT_KINDS) or link.type in _IP_TYPES)
    ]


def below_vlans_first(chosen: list[Link]) -> list[Link]:
    """The devices in an order in which what lies below a VLAN device comes before it."""
    return sorted(chosen, key=lambda link: bool(link.vlan))


def is_seen_below(link: Link, found: list[Link], done: Iterable[Attachment]) -> bool:
    """Whether XDP at the device below a VLAN device sees its frames already."""
    if not link.vlan:
        return False
    wire, _ = _tags_of(link, {other.name: other for other in found})
    return any(other.ifindex == wire and other.hook != "tc" for other in done)


def choose(names: list[str], found: list[Link]) -> list[Link]:
    """The devices a person named.

    Raises:
        InvalidRequest: one does not exist or can't carry virtual services.
    """
    by_name = {link.name: link for link in found}
    chosen = []
    for name in names:
        link = by_name.get(name)
        if link is None:
            known = ", ".join(other.name for other in carriers(found)) or "none"
            raise InvalidRequest(f"there is no interface {name!r} here (there are: {known})", errno.ENODEV)
        if link.type not in ("ether", *_IP_TYPES):
            raise InvalidRequest(f"the interface {name} ({link.type}) can't carry virtual services")
        chosen.append(link)
    return chosen


def _needs_several_buffers(link: Link) -> bool:
    """Whether its frames may be longer than what XDP, on this kernel, can send on by another device, as it hands up."""
    return link.mtu > _ONE_BUFFER and tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < _BUFFERS_SINCE


def _hook_for(link: Link, wanted: str) -> str:
    if link.type in _IP_TYPES:
        if wanted not in ("auto", "tc"):
            raise InvalidRequest(f"{link.name} has no Ethernet headers: only the tc hook can serve it")
        return "tc"
    if wanted == "auto":
        return "xdp" if link.wired and not _needs_several_buffers(link) else "tc"
    return wanted


def uses_xdp(wanted: list[tuple[Link, str]]) -> bool:
    """Whether XDP may be attached to any of these devices with the hooks wanted for them."""
    return any(link.type not in _IP_TYPES and _hook_for(link, hook) != "tc" for link, hook in wanted)


def programs_for(wanted: list[tuple[Link, str]]) -> frozenset[str]:
    """The programs that may be attached to these devices with the hooks wanted for them."""
    names = {"directrix_tc_ip" if link.type in _IP_TYPES else "directrix_tc" for link, _ in wanted}
    if uses_xdp(wanted):
        # a driver may refuse, and then auto takes tc
        names |= {"directrix_xdp", "directrix_tc_behind"}
    return frozenset(names)


def attach(data_plane: libbpf.Object, link: Link, wanted: str, before: Attachment | None = None) -> Attachment:
    """Attach our program at a device, in place of the one that `before` says is there.

    Raises:
        InvalidRequest: the device refuses the hook that was asked for.
    """
    hook = _hook_for(link, wanted)
    if hook != "tc":
        try:
            if before and before.hook not in ("tc", hook):
                done = _change_mode(data_plane, link, hook, before)
            else:
                done = _attach_xdp(data_plane, link, hook, before)
        except OSError as error:
            if wanted != "auto":
                raise InvalidRequest(
                    f"{link.name} refuses the {hook} hook: {_reason(error)}; try --hook tc", error.errno or errno.EINVAL
                ) from None
        else:
            if before and before.hook == "tc":
                detach(before)
            return done
    done = _attach_tc(data_plane, link, before)
    if before and before.hook != "tc":
        detach(before)
    return done


def program_of(known: Attachment, link_type: str) -> str:
    """The name of the program that is attached to a device of this type."""
    if known.hook != "tc":
        return "directrix_xdp"
    return "directrix_tc_ip" if link_type in _IP_TYPES else "directrix_tc"


def exchange(known: Attachment, fd: int) -> Attachment:
    """Put a program, given as a descriptor, in place of ours at a device; packets meet the one or the other.

    Raises:
        OSError: the device is gone, or somebody else's XDP program is there.
    """
    if known.hook == "tc":
        libbpf.tc_attach(known.ifindex, fd)
    else:
        libbpf.xdp_exchange(known.ifindex, fd, _XDP_MODES[known.hook], libbpf.xdp_program(known.ifindex))
    return replace(known, program=libbpf.program_id(fd))


def _attach_tc(data_plane: libbpf.Object, link: Link, before: Attachment | None) -> Attachment:
    fd = data_plane.program("directrix_tc_ip" if link.type in _IP_TYPES else "directrix_tc")
    try:
        made = libbpf.tc_attach(link.index, fd)
    except OSError as error:
        raise InvalidRequest(
            f"{link.name} refuses the tc hook: {error.strerror}", error.errno or errno.EINVAL
        ) from None
    made = made or bool(before and before.made_qdisc)
    return Attachment(link.index, link.name, "tc", made, libbpf.program_id(fd))


def _attach_xdp(data_plane: libbpf.Object, link: Link, hook: str, before: Attachment | None) -> Attachment:
    fd = data_plane.program("directrix_xdp")
    old = libbpf.xdp_program(link.index)
    ours = before is not None and before.program == old
    libbpf.xdp_exchange(link.index, fd, _XDP_MODES[hook], old if ours else 0)
    return Attachment(link.index, link.name, hook, False, libbpf.program_id(fd))


def _change_mode(data_plane: libbpf.Object, link: Link, hook: str, before: Attachment) -> Attachment:
    """From XDP in the driver to XDP behind it, or back. A device has only one of them at a time: tc serves meanwhile.

    Raises:
        OSError: the device refuses; it is as it was.
    """
    meanwhile = _attach_tc(data_plane, link, None)
    try:
        if is_there(before):
            libbpf.xdp_detach(link.index, _XDP_MODES[before.hook])
        try:
            return _attach_xdp(data_plane, link, hook, None)
        except OSError:
            with suppress(OSError):
                exchange(before, data_plane.program("directrix_xdp"))
            raise
    finally:
        detach(meanwhile)


def _reason(error: OSError) -> str:
    if error.errno == errno.EOPNOTSUPP:
        return "its driver has no native XDP"
    if error.errno in (errno.EBUSY, errno.EEXIST):
        return "another XDP program is there already"
    said = libbpf.heard().strip()
    return said.splitlines()[-1] if said else str(error.strerror)


def detach(attachment: Attachment) -> None:
    """Take our program off a device; what others put there stays. A device that is gone is no error."""
    if not is_there(attachment):
        return
    with suppress(OSError):
        if attachment.hook != "tc":
            libbpf.xdp_detach(attachment.ifindex, _XDP_MODES[attachment.hook])
        else:
            libbpf.tc_detach(attachment.ifindex)
            if attachment.made_qdisc and not _filters_left(attachment.name):
                libbpf.tc_remove_hook(attachment.ifindex)
    libbpf.heard()


def _filters_left(name: str) -> bool:
    try:
        return any(run(["tc", "filter", "show", "dev", name, way]).strip() for way in ("ingress", "egress"))
    except CommandFailed:
        return True


def is_there(attachment: Attachment) -> bool:
    """Whether the program is still where it was put."""
    try:
        query = libbpf.tc_program if attachment.hook == "tc" else libbpf.xdp_program
        return query(attachment.ifindex) == attachment.program
    except OSError:
        return False


def tune(attachments: list[Attachment], before: dict[str, list[str]]) -> dict[str, list[str]]:
    """Set the kernel's settings the data plane lives by.

    Answers what each was and what it reads as now, with what `before` says they were kept: the kernel
    rounds, so 250 ms read as 252 where it counts in ticks of 4.
    """
    wanted = dict(_LOOK_UP_SETTINGS)
    for attachment in attachments:
        for version in ("ipv4", "ipv6"):
            for name, value in _NEIGHBOUR_SETTINGS.items():
                wanted[f"net/{version}/neigh/{attachment.name}/{name}"] = value
    kept = dict(before)
    for path, value in wanted.items():
        old = sysctl.read(path)
        if old is not None and old != value and sysctl.write(path, value):
            kept[path] = [kept[path][0] if path in kept else old, sysctl.read(path) or value]
        elif old == value and path in _LOOK_UP_SETTINGS:
            # It may be so only as long as somebody holds it, `directrix director start` for one; then it is ours to
            # put back.
            kept.setdefault(path, [_before_others(path) or value, value])
    return kept


def untune(before: dict[str, list[str]]) -> None:
    """Set back what `tune` changed, unless somebody changed it since, or holds it and will set it back."""
    for path, (old, ours) in before.items():
        if old != ours and sysctl.read(path) == ours and _before_others(path) is None:
            sysctl.write(path, old)


def _before_others(path: str) -> str | None:
    """What a setting was before a holder of facts changed it; None if none holds it."""
    try:
        return ledger.here().read().was(path.replace("/", "."))
    except HostError:
        return None  # nobody knows: its record is damaged


def _tags_of(link: Link, by_name: dict[str, Link]) -> tuple[int, int]:
    """The device below a VLAN device's tags, and the tags: outer << 16 | inner."""
    tags = shift = 0
    while link.vlan and link.parent in by_name and shift < 32:
        tags |= link.vlan << shift
        shift += 16
        link = by_name[link.parent]
    return link.index, tags


def describe_devices(maps: Maps, found: list[Link], attachments: list[Attachment]) -> None:
    """Tell the data plane of the devices: their MACs, what lies under VLANs, which take XDP's frames.

    Raises:
        InvalidRequest: two devices fall into one place of the table.
    """
    by_name = {link.name: link for link in found}
    served = {attachment.ifindex for attachment in attachments}
    maps.front.words[layout.FRONT.offsets["widest"] // 4] = max(
        (link.mtu for link in found if link.index in served), default=0
    )
    # A virtual device may take a redirected frame only to lose it; then XDP hands up instead.
    native = {attachment.ifindex for attachment in attachments if attachment.hook == "xdp"}
    native &= {link.index for link in found if link.wired}
    size = layout.DEVICE.size
    content = bytearray(layout.MAX_DEVICES * size)
    taken: dict[int, Link] = {}
    vlans = {}
    for link in found:
        place = link.index % layout.MAX_DEVICES
        other = taken.setdefault(place, link)
        if other is not link:
            raise TableUnavailable(
                f"the interfaces {other.name} ({other.index}) and {link.name} ({link.index}) can't both be served",
                f"their indexes differ by a multiple of {layout.MAX_DEVICES}: make one of them anew",
            )
        wire, tags = _tags_of(link, by_name)
        master = by_name.get(link.master) if link.enslaved == "bond" else None
        seen_as = master if master and master.index in served else link
        if tags:
            vlans[layout.VLAN_KEY.whole.pack(wire, tags)] = link.index.to_bytes(4, "little")
            # of two tags the device between them sees the inner one
            vlans[layout.VLAN_KEY.whole.pack(by_name[link.parent].index, link.vlan)] = link.index.to_bytes(4, "little")
        flags = layout.DEVICE_REDIRECT if wire in native else 0
        mac = int.from_bytes(seen_as.mac, "little")
        layout.DEVICE.whole.pack_into(content, place * size, link.index, wire, tags, flags, mac, seen_as.index, 0)
    shared = maps.devices.bytes
    for place in range(layout.MAX_DEVICES):
        start = place * size
        if shared[start : start + size] != content[start : start + size]:
            shared[start : start + size] = content[start : start + size]
    for key in list(libbpf.map_keys(maps.vlans, layout.VLAN_KEY.size)):
        if key not in vlans:
            libbpf.map_delete(maps.vlans, key)
    for key, value in vlans.items():
        libbpf.map_update(maps.vlans, key, value)
