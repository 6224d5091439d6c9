"""Network devices of this network namespace, as `ip link` tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass

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


def _mac(text: str) -> bytes:
    parts = text.split(":")
    return bytes(int(part, 16) for part in parts) if len(parts) == 6 else b""


def links() -> list[Link]:
    """All devices, by ifindex.

    Raises:
        CommandFailed: `ip` is not there or failed.
    """
    found = []
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
            )
        )
    return sorted(found, key=lambda link: link.index)
