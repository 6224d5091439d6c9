"""Asking a running director, over its API's socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from directrix.director.places import SOCKET, directory


class NoDirector(Exception):
    """Nobody answers there, or not as a director does."""


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
    """
    where = path or usual_path()
    connection = _Connection(where)
    try:
        connection.request("GET", what)
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise NoDirector(f"the director at {where} answers {response.status} {response.reason}")
        return json.loads(said)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoDirector("no director runs in this network namespace (`directrix run` starts one)") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoDirector(f"the director at {where} can't be asked: {error}") from None
    finally:
        connection.close()
