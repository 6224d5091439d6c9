"""The director's HTTP API, on a UNIX socket: all it knows, and what an operator may have it do.

It is an ASGI application on the director's own loop, which checks and VRRP share: the table is read beside it
(`at_table.py`), and long answers go out in pieces (`streaming.py`). What it gives is `views.py`'s and
`exposition.py`'s; the document that describes it (`/openapi.json`) stands in `openapi.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from directrix.director import exposition, views
from directrix.director.balancer import NoSuchServer
from directrix.director.openapi import DOCUMENT
from directrix.director.streaming import in_turns, pieces
from directrix.director.table_work import counts
from directrix.director.virtual import ServerName, Virtual, port_in
from directrix.lvs import TableError
from directrix.lvs.addresses import at_other_ports, endpoint

if TYPE_CHECKING:
    from directrix.director.daemon import Director

LARGEST_BODY = 65536
LONGEST = 10 * 366 * 86400
"""Seconds that a drain or an admission may take."""


class _Wrong(Exception):
    """A request that makes no sense: with which status to say so."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """The API of one director."""

    def __init__(self, director: Director) -> None:
        self._director = director
        told: dict[str, Callable[[], Any]] = {
            "/v1/status": lambda: views.status(director),
            "/v1/orders": lambda: views.orders(director),
            "/v1/vrrp": lambda: views.vrrp(director),
            "/openapi.json": lambda: DOCUMENT,
        }
        routes = [Route(path, self._telling(view)) for path, view in told.items()]
        routes += [
            Route("/v1/services", self._guarded(self._services)),
            Route("/v1/checks", self._guarded(self._checks)),
            Route("/v1/events", self._guarded(self._events)),
            Route("/v1/servers", self._guarded(self._server)),
            Route("/metrics", self._guarded(self._metrics)),
            Route("/v1/reload", self._guarded(self._reload), methods=["POST"]),
            *(
                Route(f"/v1/servers/{word}", self._guarded(handler), methods=["POST"])
                for word, handler in (
                    ("weight", self._weight),
                    ("quiesce", self._quiesce),
                    ("drain", self._drain),
                    ("admit", self._admit),
                    ("enable", self._enable),
                )
            ),
        ]
        self.application = Starlette(routes=routes, exception_handlers={HTTPException: _refused})

    def _telling(self, view: Callable[[], Any]) -> Handler:
        async def tell(request: Request) -> Response:
            return JSONResponse(view())

        return tell

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except _Wrong as wrong:
                return JSONResponse({"error": str(wrong)}, wrong.status)
            except NoSuchServer as error:
                return JSONResponse({"error": str(error)}, 404)
            except (TableError, OSError) as error:
                return JSONResponse({"error": str(error)}, 409)

        return guarded

    async def _services(self, request: Request) -> Response:
        there: views.Counts = {}
        with suppress(TableError, OSError):  # what the director itself knows is worth telling without it
            there = await self._director.at_table.do(counts)
        return _in_pieces(views.services(self._director, there, request.query_params.get("service", "")))

    async def _checks(self, request: Request) -> Response:
        most, only = _number(request, "history", 32), request.query_params.get("service", "")
        return _in_pieces(views.checks(self._director, most, only))

    async def _events(self, request: Request) -> Response:
        limit = _number(request, "limit", 100)
        return JSONResponse(views.events(self._director, limit, request.query_params.get("kind", "")))

    async def _metrics(self, request: Request) -> Response:
        of_table: list[str] = []
        with suppress(TableError, OSError):
            of_table = await self._director.at_table.do(exposition.of_table)
        return StreamingResponse(
            in_turns(exposition.exposition(self._director, of_table)), media_type=exposition.CONTENT_TYPE
        )

    async def _reload(self, request: Request) -> Response:
        if await self._director.reload():
            return JSONResponse({"reloaded": True})
        return JSONResponse({"error": self._director.refused}, 409)

    async def _server(self, request: Request) -> Response:
        return self._ordered(self._named(dict(request.query_params)))

    async def _weight(self, request: Request) -> Response:
        body = await _body(request)
        weight, name = _weight_in(body), self._named(body)
        if weight is None:
            raise _Wrong(400, "weight is missing")
        with _in_range():
            self._director.orders.weigh(name, weight)
        return self._ordered(name)

    async def _quiesce(self, request: Request) -> Response:
        name = self._named(await _body(request))
        self._director.orders.weigh(name, 0)
        return self._ordered(name)

    async def _drain(self, request: Request) -> Response:
        body = await _body(request)
        seconds, then, udp_now = _seconds_in(body, "seconds"), body.get("then", "keep"), body.get("udp_now", False)
        if then not in ("keep", "expire"):
            raise _Wrong(400, "then is keep or expire")
        if then == "expire" and seconds is None:
            raise _Wrong(400, "to expire what is left takes seconds; 0 ends all connections at once")
        if not isinstance(udp_now, bool):
            raise _Wrong(400, "udp_now is true or false")
        name = self._named(body)
        expire, configured = then == "expire", self._director.balancer.drain(name)
        if configured is not None and not body.keys() & {"seconds", "then", "udp_now"}:
            seconds, expire, udp_now = configured.deadline, configured.expire, configured.udp_now
        await self._director.orders.drain(name, seconds, expire=expire, udp_now=udp_now)
        return self._ordered(name)

    async def _admit(self, request: Request) -> Response:
        body = await _body(request)
        over, weight, name = _seconds_in(body, "over"), _weight_in(body), self._named(body)
        with _in_range():
            self._director.orders.admit(name, over or 0.0, weight)
        return self._ordered(name)

    async def _enable(self, request: Request) -> Response:
        name = self._named(await _body(request))
        self._director.enable(name)
        return self._ordered(name)

    def _ordered(self, name: ServerName) -> Response:
        view = self._director.balancer.server(name)
        told = {"service": name[0], "server": endpoint(*name[1]), "weight": view.weight, "held_weight": view.held}
        return JSONResponse({**told, "growing": views.growing(view), "order": views.order(self._director, name)})

    def _named(self, body: dict[str, Any]) -> ServerName:
        """The real server a request is about: by the names that `/v1/services` has, or those of the table's entries."""
        service, server = body.get("service"), body.get("server")
        if not isinstance(service, str) or not isinstance(server, str):
            raise _Wrong(400, "service and server are names, as /v1/services has them")
        virtual = self._virtual(service)
        for key in virtual.real_servers:
            if server == endpoint(*key):
                return virtual.name, key
        for key in virtual.real_servers:
            if any(server == endpoint(*place) and service == str(at) for at, place in virtual.places(key)):
                return virtual.name, key
        raise NoSuchServer(_why_not(virtual, server))

    def _virtual(self, name: str) -> Virtual:
        virtuals = self._director.balancer.setup.virtuals
        if name in virtuals:
            return virtuals[name]
        for virtual in virtuals.values():
            if virtual.is_called(name):
                return virtual
        raise NoSuchServer(f"there is no virtual server {name!r}")


def _why_not(virtual: Virtual, server: str) -> str:
    """Why nothing can be ordered of what is no real server of a virtual server."""
    sorry = virtual.settings.sorry_server
    at = () if sorry is None else (sorry.port, *(port_in(sorry, key) for key in virtual.keys))
    if sorry is not None and server in [endpoint(sorry.address, port) for port in at]:
        return f"{server} is the sorry server of virtual server {virtual.name}: the quorum says when it serves"
    there = [endpoint(*place) for key in virtual.real_servers for _, place in virtual.places(key)]
    hint = at_other_ports(server, there) or ": put it there and reload"
    return f"the configuration has no real server {server} in virtual server {virtual.name}{hint}"


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _in_pieces(value: Any) -> Response:
    return StreamingResponse(in_turns(pieces(value)), media_type="application/json")


@contextmanager
def _in_range() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise _Wrong(400, str(error)) from None


def _number(request: Request, name: str, usual: int) -> int:
    said = request.query_params.get(name, str(usual))
    if not said.isascii() or not said.isdigit():
        raise _Wrong(400, f"{name} is a number, not {said!r}")
    return int(said[:6])


def _weight_in(body: dict[str, Any]) -> int | None:
    weight = body.get("weight")
    if weight is not None and (not isinstance(weight, int) or isinstance(weight, bool)):
        raise _Wrong(400, "weight is a whole number")
    return weight


def _seconds_in(body: dict[str, Any], name: str) -> float | None:
    seconds = body.get(name)
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= LONGEST:
        raise _Wrong(400, f"{name} is a number, 0 or more")
    return float(seconds)


async def _body(request: Request) -> dict[str, Any]:
    said = b""
    async for part in request.stream():
        said += part
        if len(said) > LARGEST_BODY:
            raise _Wrong(413, f"a request has at most {LARGEST_BODY} bytes")
    try:
        body = json.loads(said)
    except ValueError:
        raise _Wrong(400, "the request is no JSON") from None
    if not isinstance(body, dict):
        raise _Wrong(400, "the request is no JSON object")
    return body


class _Server(uvicorn.Server):
    """Signals are the director's to hear."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listener:
    """The API's socket, and who serves it."""

    def __init__(self, api: Api, path: Path) -> None:
        """Listen. Root alone, and the group the file is given to, may speak to it.

        Raises:
            OSError: the socket can't be had.
        """
        self._path = path
        with suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o117)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        settings = uvicorn.Config(
            api.application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=64,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(settings)
        self._task = asyncio.create_task(self._server.serve([self._socket]))

    async def close(self) -> None:
        """Listen no more."""
        self._server.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
