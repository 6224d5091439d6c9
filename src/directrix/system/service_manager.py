"""Telling the service manager how we are: sd_notify(3), over the socket it gives us."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress


class ServiceManager:
    """The service manager, or nobody if none is there.

    Its variables are taken out of the environment, so that no program we start speaks in our name.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        watched = environment.pop("WATCHDOG_PID", str(os.getpid()))
        self.watchdog = int(microseconds) / 1e6 if microseconds.isdigit() and watched == str(os.getpid()) else None
        """Seconds within which it wants to hear from us; None if it doesn't."""
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            # An abstract socket's name begins with a zero byte, which a variable can't hold.
            try:
                self._socket.connect("\0" + address[1:] if address.startswith("@") else address)
            except OSError:
                self._socket.close()
                self._socket = None

    def tell(self, *lines: str) -> None:
        """Tell it lines like `READY=1`. One that doesn't listen is no reason to stop."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send("\n".join(lines).encode())

    def ready(self, status: str) -> None:
        """We do what we are for."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """We read our configuration again; `ready` ends it."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """We are coming to an end."""
        self.tell("STOPPING=1", "STATUS=stopping")

    def alive(self) -> None:
        """We are not stuck."""
        self.tell("WATCHDOG=1")

    def close(self) -> None:
        """Say nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
