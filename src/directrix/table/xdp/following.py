"""The table follows what becomes of this host: devices that come, go and change, addresses that are its own.

The data plane knows of devices what it was told: the MAC a frame for this host bears, how large packets may be, what
lies under VLANs and bonds, and which real servers are this host itself. The kernel tells no BPF program when that
changes. So it is looked at anew by every command that changes the table, and by the daemon as soon as the kernel tells
of a change. A list of what matters lies in the table's record: where it is still true, nothing more is done.
"""

from __future__ import annotations

from typing import Any

from directrix.table.xdp import attachment, director, pins
from directrix.table.xdp.devices import Device, among, devices, links_and_list
from directrix.table.xdp.maps import Maps


def lags(place: pins.Place) -> bool:
    """Whether there is something that `follow_devices` would do."""
    record = place.read_record()
    return _left_by_a_trace(place, record) or record.get("devices", []) != devices()


def follow_devices(place: pins.Place) -> bool:
    """Attach the table to what came, where it attached itself or was attached before, and tell it of what changed.

    Answers whether anything had.

    Raises:
        TableError: a device can't be served; the others are.
    """
    record = place.read_record()
    if _left_by_a_trace(place, record):
        director.renew(record)
        record = place.read_record()
    before, now = record.get("devices", []), devices()
    if before == now:
        return False
    if record.get("automatic"):
        if {tuple(each[:2]) for each in now} - {tuple(each[:2]) for each in before}:
            director.bring_up(hook=record.get("hook", "auto"))
            return True
    elif back := _come_back(record, now):
        director.bring_up(back)
        return True
    _describe(place, now)
    return True


def _come_back(record: dict[str, Any], now: list[Device]) -> list[str]:
    """The names of devices that are served and have been made anew: they have other numbers."""
    indexes = {name: index for index, name, *_ in now}
    served = attachment.from_record(record)
    return [known.name for known in served if indexes.get(known.name, known.ifindex) != known.ifindex]


def _left_by_a_trace(place: pins.Place, record: dict[str, Any]) -> bool:
    if not record.get("trace"):
        return False
    from directrix.table.xdp import tracing

    return tracing.left_behind(place)


def _describe(place: pins.Place, seen: list[Device]) -> None:
    """Tell the data plane of the devices as they are; `seen` are those that we know need no more than that."""
    with place.lock():
        record = place.read_record()
        found, now = links_and_list()
        here = {link.index for link in found}
        attachments = attachment.from_record(record)
        maps = Maps(place)
        try:
            attachment.describe_devices(maps, found, [known for known in attachments if known.ifindex in here])
        finally:
            maps.close()
        if record.get("automatic"):
            attachments = [known for known in attachments if known.ifindex in here]
        # One that has come since then has yet to be asked about: it stays out of the list, and the next look finds it.
        followed = among(now, seen)
        place.write_record(record | {"devices": followed, "attachments": attachment.to_record(attachments)})
