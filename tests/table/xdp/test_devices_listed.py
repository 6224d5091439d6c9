"""What is found of this host's devices, the list by which a change is told, and what of it counts as followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest

from directrix.system.links import Link
from directrix.table.xdp import attachment, following, pins
from directrix.table.xdp import devices as listing
from directrix.table.xdp.devices import Device

LO, ETH0, ETH1, ETH2 = ([index, name, "", 1500, 0, 0] for index, name in enumerate(("lo", "eth0", "eth1", "eth2"), 1))


def test_a_device_that_changes_and_changes_back_in_between_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([1500, 1400, 1400, 1500, 1500, 1500])
    """The MTU at each look."""

    def devices() -> list[Device]:
        return [[1, "eth0", "", next(sizes), 0, 0]]

    monkeypatch.setattr(listing, "devices", devices)
    monkeypatch.setattr(listing, "current_links", lambda: [Link(1, "eth0", "ether", mtu=next(sizes))])
    [found], [listed] = listing.links_and_list()
    assert (found.mtu, listed[3]) == (1500, 1500)
    assert list(sizes) == []


def test_devices_that_change_all_the_time_are_told_by_an_older_list(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter(range(1000, 2000))
    monkeypatch.setattr(listing, "devices", lambda: [[1, "eth0", "", next(sizes), 0, 0]])
    monkeypatch.setattr(listing, "current_links", lambda: [Link(1, "eth0", "ether", mtu=next(sizes))])
    [found], [listed] = listing.links_and_list()
    assert int(listed[3]) < found.mtu < next(sizes) < 1100


class Record:
    """A table's place that has nothing but a record."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield

    def read_record(self) -> dict[str, Any]:
        return self.record

    def write_record(self, record: dict[str, Any]) -> None:
        self.record = record


class NoMaps:
    def __init__(self, place: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("automatic", [True, False])
def test_a_device_that_comes_while_another_is_seen_off_is_found_by_the_next_look(
    automatic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Record({"automatic": automatic, "devices": [LO, ETH0, ETH1], "attachments": []})
    now: list[Sequence[int | str]] = [LO, ETH0]
    monkeypatch.setattr(following, "devices", lambda: list(now))
    monkeypatch.setattr(following, "Maps", NoMaps)
    monkeypatch.setattr(attachment, "describe_devices", lambda maps, found, known: None)

    def links_and_list() -> tuple[list[Link], list[Any]]:
        now.append(ETH2)
        return [], list(now)

    monkeypatch.setattr(following, "links_and_list", links_and_list)
    assert following.follow_devices(cast(pins.Place, place))
    assert place.record["devices"] == [LO, ETH0]
    assert following.lags(cast(pins.Place, place))
