"""What the API answers about real servers, and what commands make of it."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest
from director_making import KEY, NAME, A, Here, service, setup

from directrix.director import client, remote
from directrix.director.api import Api
from directrix.director.balancer import Balancer
from directrix.director.ordering import Ordering
from directrix.lvs import Protocol, ServiceKey
from directrix.table.memory import MemoryTable

CONFIGURATION = service("10.0.0.1 8080 { weight 3\n }", more="sorry_server 10.0.0.9 80", method="NAT")


class Director:
    """As much of a director as is asked here; `ask` asks its API."""

    def __init__(self, configuration: str) -> None:
        table = MemoryTable()
        self.balancer = Balancer(table, lambda told: None)
        self.at_table = Here(table)
        self.orders = Ordering(self.balancer, self.at_table, lambda *what: None)
        self._configuration = configuration

    def ask(self, what: str) -> Any:
        return {"table": "memory"} if what == "/v1/status" else asyncio.run(self._ask(urlsplit(what)))

    async def _ask(self, what: Any) -> Any:
        said: list[Any] = []
        scope = {"type": "http", "method": "GET", "path": what.path, "headers": []}

        async def hear() -> dict[str, Any]:
            await asyncio.Event().wait()  # whoever asks stays until all is said
            return {}

        async def say(message: Any) -> None:
            said.append(message)

        self.balancer.start(setup(self._configuration))
        api: Any = self
        await Api(api).application({**scope, "query_string": what.query.encode()}, hear, say)
        await self.balancer.stop()
        told = json.loads(b"".join(message.get("body", b"") for message in said))
        if said[0]["status"] != 200:
            raise client.Refused(said[0]["status"], told["error"])
        return told


@pytest.fixture(autouse=True)
def director(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ask", Director(CONFIGURATION).ask)


def test_a_real_server_is_found_by_what_it_is_called_in_the_table() -> None:
    assert remote.find(KEY, A, 8080, "memory") == remote.Remote(NAME, "10.0.0.1:8080")
    assert remote.find(KEY, A, 8080, "xdp") is None


@pytest.mark.parametrize(
    ("server", "port", "why"),
    [
        ("10.0.0.9", 80, "10.0.0.9:80 is the sorry server of virtual server TCP 192.0.2.1:80: the quorum says"),
        ("10.0.0.7", 80, "the configuration has no real server 10.0.0.7:80 in virtual server .*: put it there and rel"),
        ("10.0.0.1", 80, "no real server 10.0.0.1:80 in .*; at that address it has 10.0.0.1:8080$"),
    ],
)
def test_what_is_no_real_server_of_a_service_the_director_has_is_refused_with_the_reason(
    server: str, port: int, why: str
) -> None:
    with pytest.raises(client.Refused, match=why):
        remote.find(KEY, ip_address(server), port, "memory")


def test_what_is_in_no_service_of_the_director_s_is_left_to_the_table() -> None:
    assert remote.find(ServiceKey.of(Protocol.UDP, ip_address("192.0.2.1"), 80), A, 80, "memory") is None


def test_a_virtual_server_is_asked_for_by_its_name_or_by_a_service_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "virtual_server_group web {\n192.0.2.1 80\n192.0.2.2 80\n}\n"
    group += service("10.0.0.1 80 {\nTCP_CHECK {\n}\n}", head="group web") + service(
        "10.0.0.2 80 {\n}", head="192.0.2.3 80"
    )
    ask = Director(group).ask
    for name in ("group%20web%20TCP", "TCP%20192.0.2.2:80"):
        assert [one["name"] for one in ask(f"/v1/services?service={name}")] == ["group web TCP"]
        assert [one["server"] for one in ask(f"/v1/checks?service={name}")] == ["10.0.0.1:80"]
    assert len(ask("/v1/services")) == 2
    assert ask("/v1/services?service=web") == []
