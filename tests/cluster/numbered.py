"""Connections that send numbered bytes all the time, and expect each back: what tells a lost packet from a late one.

Two programs, each for one network namespace. `serve ADDRESS PORT` sends back what it gets. `load ADDRESS PORT
CONNECTIONS BATCH` opens so many connections and lets a batch of them, in turn, send its next number every
millisecond. It says `ready`, goes on until its standard input ends, waits for what is under way, and prints what
it saw as JSON:

    sent, answered   numbers
    wrong            answers that are not what is expected next
    resets           connections that ended before their time
    lost             segments that had to be sent again: tcpi_total_retrans less tcpi_dsack_dups, for what the
                     other side has twice was only late
    longest          ms between a number and its answer
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from contextlib import suppress

NUMBER = struct.Struct(">Q")
PATIENCE = 10.0


def _no_delay(s: socket.socket) -> socket.socket:
    s.setblocking(False)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def serve(address: str, port: int) -> None:
    """Send everything back, until killed."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family, backlog=1024)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            s = key.fileobj
            assert isinstance(s, socket.socket)
            with suppress(BlockingIOError):
                if s is listener:
                    selector.register(_no_delay(listener.accept()[0]), selectors.EVENT_READ)
                    continue
                try:
                    data = s.recv(65536)
                    if data:
                        s.send(data)
                except (ConnectionError, TimeoutError):
                    data = b""
                if not data:
                    selector.unregister(s)
                    s.close()


class Stream:
    """One connection, its numbers sent and answered."""

    def __init__(self, address: str, port: int) -> None:
        self.socket = _no_delay(socket.create_connection((address, port), PATIENCE))
        self.sent = self.answered = self.wrong = 0
        self.ended = False
        self.longest = 0.0
        self._rest = b""
        self._at: dict[int, float] = {}

    def send(self, now: float) -> None:
        try:
            self.socket.send(NUMBER.pack(self.sent))
        except BlockingIOError:
            return
        except OSError:
            self.ended = True
            return
        self._at[self.sent] = now
        self.sent += 1

    def receive(self, now: float) -> None:
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        data = self._rest + data
        whole = len(data) // NUMBER.size * NUMBER.size
        self._rest = data[whole:]
        for (number,) in NUMBER.iter_unpack(data[:whole]):
            self.wrong += number != self.answered
            self.answered += 1
            self.longest = max(self.longest, now - self._at.pop(number, now))

    def lost(self) -> int:
        if self.ended:
            return 0
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 220)
        return max(0, int(struct.unpack_from("=I", info, 100)[0] - struct.unpack_from("=I", info, 216)[0]))


def load(address: str, port: int, connections: int, batch: int) -> None:
    """Send until standard input ends; then say what was seen."""
    streams = [Stream(address, port) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for stream in streams:
        selector.register(stream.socket, selectors.EVENT_READ, stream)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    over, turn, due, end = False, 0, time.monotonic(), 0.0
    while not over or (time.monotonic() < end and any(s.answered < s.sent for s in streams if not s.ended)):
        for key, _ in selector.select(max(0.0, due - time.monotonic())):
            if key.data is None:
                over, end = True, time.monotonic() + PATIENCE
                selector.unregister(sys.stdin)
                continue
            key.data.receive(time.monotonic())
            if key.data.ended:
                selector.unregister(key.fileobj)
        now = time.monotonic()
        if not over and now >= due:
            for place in range(turn, turn + batch):
                stream = streams[place % connections]
                if not stream.ended:
                    stream.send(now)
            turn = (turn + batch) % connections
            due = max(due + 0.001, now - 0.01)
    # What was sent again and had only been late is known for that when the other side says that it has it twice.
    end = time.monotonic() + 1
    while any(s.lost() for s in streams) and time.monotonic() < end:
        time.sleep(0.02)
    told = {
        "sent": sum(s.sent for s in streams),
        "answered": sum(s.answered for s in streams),
        "wrong": sum(s.wrong for s in streams),
        "resets": sum(s.ended for s in streams),
        "lost": sum(s.lost() for s in streams),
        "longest": round(max(s.longest for s in streams) * 1000, 1),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "serve":
        serve(words[0], int(words[1]))
    else:
        load(words[0], *map(int, words[1:]))
