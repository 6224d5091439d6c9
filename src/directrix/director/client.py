"""Asking a running director, and giving it orders, over its API's socket."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from pathlib import Path
from typing import Any

from directrix.director.places import SOCKET, directory
from directrix.lvs import TableError


class NoDirector(TableError):
    """EIO: nobody answers there, or not as a director does."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, reason)


class NotRunning(NoDirector):
    """There is no director."""


class Refused(TableError):
    """EINVAL: the director does not do that. `status`: HTTP's, 404 if there is no such thing."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(errno.EINVAL, reason)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def usual_path() -> Path:
    """The socket of the director of this network namespace."""
    return directory() / SOCKET


def ask(what: str, path: Path | None = None) -> Any:
    """What a director gives for a path like `/v1/status`.

    Raises:
        NoDirector: nobody is there, or it doesn't answer in order.
        Refused: there is no such thing.
    """
    return _request("GET", what, None, path)


def order(what: str, body: dict[str, Any], path: Path | None = None) -> Any:
    """Have a director do something, by a path like `/v1/servers/drain`; what it answers.

    Raises:
        NoDirector: nobody is there, or it doesn't answer in order.
        Refused: it doesn't.
    """
    return _request("POST", what, body, path)


def _request(method: str, what: str, body: dict[str, Any] | None, path: Path | None) -> Any:
    where = path or usual_path()
    connection = _Connection(where)
    try:
        connection.request(method, what, None if body is None else json.dumps(body))
        response = connection.getresponse()
        said = response.read()
        told = json.loads(said)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunning("no director runs in this network namespace (`directrix run` starts one)") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoDirector(f"the director at {where} can't be asked: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        reason = told.get("error") if isinstance(told, dict) else None
        raise Refused(response.status, str(reason or response.reason))
    return told
