"""What is found of this host's devices, and the list by which a change is told, are of one moment."""

from __future__ import annotations

import pytest

from directrix.system.links import Link
from directrix.table.xdp import attachment
from directrix.table.xdp.devices import Device


def test_a_device_that_changes_and_changes_back_in_between_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([1500, 1400, 1400, 1500, 1500, 1500])
    """The MTU at each look."""

    def devices() -> list[Device]:
        return [[1, "eth0", "", next(sizes), 0, 0]]

    monkeypatch.setattr(attachment, "devices", devices)
    monkeypatch.setattr(attachment, "current_links", lambda: [Link(1, "eth0", "ether", mtu=next(sizes))])
    [found], [listed] = attachment.links_and_list()
    assert (found.mtu, listed[3]) == (1500, 1500)
    assert list(sizes) == []
