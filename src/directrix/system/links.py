"""Network devices of this network namespace, as `ip link` tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from directrix.system.commands import run


@dataclass(frozen=True, slots=True)
class Link:
    """One network device.

    Attributes:
        index, name: its ifindex and name.
        type: kind of link layer: `ether`, `loopback`, `none`, `ppp` …
        kind: what makes it (`veth`, `bridge`, `vlan` …), empty for hardware.
        mac: its MAC address as six bytes, empty where there is none.
        up: whether it is set up.
        enslaved: kind of master it is a port of (`bridge`, `bond` …), empty if none.
        master: name of that master.
        wired: whether frames come to it from wires: hardware, or a bond of hardware whose MAC address stays.
        parent: name of the device below (VLAN), empty if none or in another namespace.
        vlan: VLAN id, if it is a VLAN device.
        mtu: in bytes.
        carrier: whether there is somebody at the other end of the wire; only of a device that is up.
    """

    index: int
    name: str
    type: str
    kind: str = ""
    mac: bytes = b""
    up: bool = False
    enslaved: str = ""
    parent: str = ""
    vlan: int = 0
    mtu: int = 1500
    carrier: bool = True
    master: str = ""
    wired: bool = False


def _mac(text: str) -> bytes:
    parts = text.split(":")
    return bytes(int(part, 16) for part in parts) if len(parts) == 6 else b""


def links() -> list[Link]:
    """All devices, by ifindex.

    Raises:
        CommandFailed: `ip` is not there or failed.
    """
    found: list[Link] = []
    for entry in json.loads(run(["ip", "-json", "-details", "link", "show"]) or "[]"):
        if "ifname" not in entry:
            continue
        info = entry.get("linkinfo", {})
        found.append(
            Link(
                index=entry["ifindex"],
                name=entry["ifname"],
                type=entry.get("link_type", "none"),
                kind=info.get("info_kind", ""),
                mac=_mac(entry.get("address", "")),
                up="UP" in entry.get("flags", ()),
                enslaved=info.get("info_slave_kind", ""),
                parent=entry.get("link", ""),
                vlan=info.get("info_data", {}).get("id", 0) if info.get("info_kind") == "vlan" else 0,
                mtu=entry.get("mtu", 1500),
                carrier="LOWER_UP" in entry.get("flags", ()),
                master=entry.get("master", ""),
                wired=not info.get("info_kind") or info.get("info_data", {}).get("fail_over_mac") == "none",
            )
        )
    virtual_ports = {link.master for link in found if link.kind}
    bonds = [link for link in found if link.kind == "bond" and link.name in virtual_ports]
    found = [replace(link, wired=False) if link in bonds else link for link in found]
    return sorted(found, key=lambda link: link.index)
