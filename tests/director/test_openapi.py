"""The document that describes the API: every path there is, and the names that views really have."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from director_making import NAME, A, Here, service, setup

from directrix.director import views
from directrix.director.api import Api
from directrix.director.balancer import Balancer
from directrix.director.openapi import DOCUMENT
from directrix.director.ordering import Ordering
from directrix.table.memory import MemoryTable
from directrix.vrrp.status import TrackedStatus

SCHEMAS = DOCUMENT["components"]["schemas"]


class Vrrp:
    """VRRP with one script."""

    def tracked(self) -> tuple[TrackedStatus, ...]:
        return (TrackedStatus("script", "chk", True),)

    def strangers(self) -> tuple[()]:
        return ()


class Director:
    """As much of a director as the views look at."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.balancer = Balancer(self.table, lambda told: None)
        self.orders = Ordering(self.balancer, Here(self.table), lambda *what: None)
        self.vrrp = Vrrp()

    def statuses(self) -> tuple[()]:
        return ()


def test_every_path_is_described_with_its_methods() -> None:
    application = Api(Director()).application  # type: ignore[arg-type]
    routes: Any = application.routes
    there = {route.path: {method.lower() for method in route.methods} - {"head"} for route in routes}
    assert {path: set(methods) for path, methods in DOCUMENT["paths"].items()} | {"/openapi.json": {"get"}} == there


def names(schema: str) -> set[str]:
    return set(SCHEMAS[schema]["properties"])


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"].rpartition("/")[2]} if "$ref" in value else set()
        return found.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_what_is_referred_to_is_there() -> None:
    assert references(DOCUMENT) <= set(SCHEMAS)


@pytest.mark.parametrize("kind", ["weight", "drain", "admit"])
def test_services_checks_and_orders_have_the_names_that_the_document_says(kind: str, tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")
    text = f"track_file down {{ file {tmp_path / 'down'}\n }}\n"
    more = "drain {\ndeadline 60\n}\nbudget {\nrate 10\nsource_rate 5\n}"
    text += service("10.0.0.1 80 { weight 9\n FILE_CHECK { track_file down\n weight 0\n } }", more=more)

    async def story() -> None:
        director: Any = Director()
        director.balancer.start(setup(text))
        async with asyncio.timeout(30):
            while not director.balancer.checks.history((NAME, (A, 80), "FILE_CHECK")).attempts:
                await asyncio.sleep(0.002)
        name = (NAME, (A, 80))
        if kind == "drain":
            await director.orders.drain(name, None)
        elif kind == "admit":
            director.orders.admit(name, 60.0)
        else:
            director.orders.weigh(name, 5)
        [found] = views.services(director, {})
        [server] = found["servers"]
        assert set(found) == names("Service")
        assert set(server) == names("Server")
        assert set(server["checks"][0]) == names("Checker")
        assert set(server["checks"][0]["last"]) == names("Result")
        [check] = views.checks(director, 5)
        assert set(check) == names("Check")
        assert set(server["drain"]) == names("Drain")
        assert set(found["budget"]) | set(found["source_budget"]) == names("Rate")
        assert set(SCHEMAS["Order"]["required"]) <= set(server["order"]) <= names("Order")
        assert [one["order"]["kind"] for one in views.orders(director)] == [kind]
        assert set(views.vrrp(director)["tracked"][0]) == names("Tracked")
        await director.orders.close()
        await director.balancer.stop()

    asyncio.run(story())


def test_a_server_that_grows_and_one_on_its_way_out_have_the_names_that_the_document_says() -> None:
    async def story() -> None:
        director: Any = Director()
        director.balancer.start(setup(service("10.0.0.1 80 { weight 9\n }", more="drain {\n}\nslow_start 60")))
        await director.balancer.reload(setup(service("10.0.0.2 80 { weight 9\n }", more="drain {\n}\nslow_start 60")))
        [found] = views.services(director, {})
        comes, leaves = found["servers"]
        assert (comes["server"], comes["weight"], comes["leaving"]) == ("10.0.0.2:80", 1, False)
        assert set(comes["growing"]) == names("Growth")
        assert comes["growing"]["target"] == 9
        assert (leaves["server"], leaves["weight"], leaves["leaving"]) == ("10.0.0.1:80", 0, True)
        assert leaves["order"]["leaves"] is True
        assert set(leaves["order"]) <= names("Order")
        await director.orders.close()
        await director.balancer.stop()

    asyncio.run(story())
