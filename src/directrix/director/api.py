"""The director's HTTP API, on a UNIX socket: all it knows, and what an operator may have it do.

It is an ASGI application on the director's own loop. What it gives is `views.py`'s and `exposition.py`'s; the document
that describes it (`/openapi.json`) stands in `openapi.py`.
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
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from directrix.checks.actions import ServerKey
from directrix.director import exposition, views
from directrix.director.balancer import NoSuchServer
from directrix.director.openapi import DOCUMENT
from directrix.lvs.addresses import endpoint

if TYPE_CHECKING:
    from directrix.director.daemon import Director

LARGEST_BODY = 65536


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
            "/v1/services": lambda: views.services(director),
            "/v1/checks": lambda: views.checks(director),
            "/v1/vrrp": lambda: views.vrrp(director),
            "/openapi.json": lambda: DOCUMENT,
        }
        routes = [Route(path, self._telling(view)) for path, view in told.items()]
        routes += [
            Route("/v1/events", self._events),
            Route("/metrics", self._metrics),
            Route("/v1/reload", self._guarded(self._reload), methods=["POST"]),
            *(
                Route(f"/v1/servers/{word}", self._guarded(handler), methods=["POST"])
                for word, handler in (
                    ("weight", self._weight),
                    ("quiesce", self._quiesce),
                    ("drain", self._drain),
                    ("enable", self._enable),
                )
            ),
        ]
        self.application = Starlette(routes=routes)

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

        return guarded

    async def _events(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not limit.isascii() or not limit.isdigit():
            return JSONResponse({"error": f"limit is a number, not {limit!r}"}, 400)
        found = views.events(self._director, int(limit[:6]), request.query_params.get("kind", ""))
        return JSONResponse(found)

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(exposition.exposition(self._director), media_type=exposition.CONTENT_TYPE)

    async def _reload(self, request: Request) -> Response:
        if await self._director.reload():
            return JSONResponse({"reloaded": True})
        return JSONResponse({"error": self._director.refused}, 409)

    async def _weight(self, request: Request) -> Response:
        body = await _body(request)
        weight = body.get("weight")
        if not isinstance(weight, int) or isinstance(weight, bool):
            raise _Wrong(400, "weight is a whole number")
        service, server = self._named(body)
        try:
            self._director.hold(service, server, weight)
        except ValueError as error:
            raise _Wrong(400, str(error)) from None
        return JSONResponse({"service": service, "server": endpoint(*server), "held_weight": weight})

    async def _quiesce(self, request: Request) -> Response:
        service, server = self._named(await _body(request))
        self._director.hold(service, server, 0)
        return JSONResponse({"service": service, "server": endpoint(*server), "held_weight": 0})

    async def _drain(self, request: Request) -> Response:
        body = await _body(request)
        seconds = body.get("seconds")
        if seconds is not None and (not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0):
            raise _Wrong(400, "seconds is a number, 0 or more")
        service, server = self._named(body)
        self._director.drain(service, server, seconds)
        return JSONResponse({"service": service, "server": endpoint(*server), "held_weight": 0, "draining": True})

    async def _enable(self, request: Request) -> Response:
        service, server = self._named(await _body(request))
        self._director.hold(service, server, None)
        return JSONResponse({"service": service, "server": endpoint(*server), "held_weight": None})

    def _named(self, body: dict[str, Any]) -> tuple[str, ServerKey]:
        service, server = body.get("service"), body.get("server")
        if not isinstance(service, str) or not isinstance(server, str):
            raise _Wrong(400, "service and server are names, as /v1/services has them")
        virtual = self._director.balancer.setup.virtuals.get(service)
        if virtual is None:
            raise NoSuchServer(f"there is no virtual server {service!r}")
        for key in virtual.real_servers:
            if endpoint(*key) == server:
                return service, key
        raise NoSuchServer(f"virtual server {service} has no real server {server!r}")


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
