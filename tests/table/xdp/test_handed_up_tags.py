"""Frames with VLAN tags, over the wire: through XDP and, if they leave with others, through tc behind it."""

from __future__ import annotations

import socket

import pytest
from data_plane import HTTP, HTTP6, VIP, VIP6, DataPlane, real_mac
from frames import TCP, ethernet, packet, routed

from directrix.lvs import Address, ServiceKey
from directrix.table.xdp import layout, libbpf

pytestmark = pytest.mark.root

VLAN_DEVICE = 99
"""Stands for a VLAN device: only its number matters."""


@pytest.mark.parametrize("tags", [(10,), (10, 20)], ids=["one tag", "two tags"])
@pytest.mark.parametrize(("key", "vip"), [(HTTP, VIP), (HTTP6, VIP6)], ids=["IPv4", "IPv6"])
def test_a_frame_from_a_vlan_reaches_a_real_server_without_tags_as_it_was(
    plane: DataPlane, far: socket.socket, key: ServiceKey, vip: Address, tags: tuple[int, ...]
) -> None:
    wire, devices = plane.ifindex["wire"], plane.maps.devices.bytes
    before = bytes(devices)
    value = tags[0] if len(tags) == 1 else tags[0] << 16 | tags[1]
    whose = layout.VLAN_KEY.whole.pack(wire, value)
    on_wire = layout.DEVICE.get(devices, wire % layout.MAX_DEVICES * layout.DEVICE.size, "mac")
    try:
        libbpf.map_update(plane.maps.vlans, whose, VLAN_DEVICE.to_bytes(4, "little"))
        layout.DEVICE.pack_into(
            devices,
            VLAN_DEVICE * layout.DEVICE.size,
            ifindex=VLAN_DEVICE,
            mac=on_wire,
            tags=value,
            wire=wire,
            arrives=VLAN_DEVICE,
        )
        plane.serve(key, 1)
        frame = packet(TCP, vip, 80)
        far.send(ethernet(frame[14:], vip.version, tags))
        found = next(heard for heard in iter(lambda: far.recv(2000), b"") if heard[:6] == real_mac(1))
        assert found == routed(frame)
    finally:
        devices[:] = before
        libbpf.map_delete(plane.maps.vlans, whose)
