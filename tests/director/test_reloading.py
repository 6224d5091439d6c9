"""A reload: gone over to by all, or refused whole, with the reason."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest
from director_making import NAME, PLAIN, A, B, setup
from director_world import World, play

from directrix.director.orders import Kind
from directrix.director.refusal import Refused
from directrix.director.reloading import go_over, told_refusal
from directrix.keepalived import FaultyConfiguration, loads


class Router:
    """Stands for VRRP, which refuses once what was vetted."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def vet(self, routers: Any) -> None:
        self.asked.append(("vet", routers))

    async def reload(self, routers: Any) -> None:
        self.asked.append(("reload", routers))
        raise OSError(errno.ENODEV, "No such device")


def test_where_vrrp_refuses_table_and_orders_are_as_they_were_before() -> None:
    async def story(world: World) -> None:
        world.orders.weigh((NAME, (A, 80)), 7)
        vrrp: Any = Router()
        before, without = setup(PLAIN), setup(PLAIN.replace(f"real_server {A} 80", "real_server 10.0.0.77 80"))
        with pytest.raises(OSError, match="No such device"):
            await go_over(without, before, world.balancer, world.orders, vrrp)
        assert [what for what, _ in vrrp.asked] == ["vet", "reload"]
        assert world.weights == {A: 7, B: 2}
        assert world.balancer.orders[NAME, (A, 80)].kind is Kind.WEIGHT

    play(story)


def test_why_it_is_refused_is_a_sentence_and_the_rest_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FaultyConfiguration) as faulty:
        loads("virtual_server 10.0.0.1 80 {\n lvs_shed wrr\n protocol TPC\n}\n")
    with caplog.at_level(logging.ERROR, "directrix.director"):
        assert told_refusal(faulty.value, "/etc/k.conf").startswith("2 mistakes in /etc/k.conf, the first one: ")
        assert told_refusal(Refused(["one", "two"]), "/etc/k.conf") == "one; two"
        assert told_refusal(OSError(errno.ENODEV, "No such device"), "") == "[Errno 19] No such device"
        assert [record.exc_info for record in caplog.records] == [None] * 4
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as error:
            said = told_refusal(error, "")
    assert said == "a fault of directrix itself: ZeroDivisionError()"
    assert caplog.records[-1].exc_info
