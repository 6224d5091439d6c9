"""Real servers that were removed, kept aside until IPVS would have thrown them away, and their numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from data_plane import DNS, HTTP, DataPlane

from directrix.table.xdp import numbers
from directrix.table.xdp.numbers import Numbers

pytestmark = pytest.mark.root

SERVERS = 20


def test_many_kept_aside_do_not_make_every_new_server_dear_and_lend_their_numbers_in_time(
    plane: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(numbers, "time", SimpleNamespace(monotonic=lambda: clock.now))
    looked_at: list[int] = []
    expired = Numbers._expired

    def counted(self: Numbers, number: int) -> bool:
        looked_at.append(number)
        return expired(self, number)

    monkeypatch.setattr(Numbers, "_expired", counted)
    plane.serve(HTTP, *[1] * SERVERS)
    plane.table.flush()
    clock.now += 1
    plane.serve(DNS, *[1] * SERVERS)
    assert len(looked_at) == SERVERS, "once a second is enough"
    assert plane.front("server_top") == 2 * SERVERS
    clock.now += 120
    plane.add(DNS, SERVERS + 1)
    assert plane.front("server_top") == 2 * SERVERS, "a number of those gone is used again"
