"""Clients on a host of a lab that ask for pages all the time, and what became of each request.

New requests are begun at a steady rate, whether or not those before are answered, so that what goes wrong in a moment
is counted as often as people would meet it. Beside them connections can be kept, over each of which one request after
the other is sent. All of it runs on an event loop in a thread of its own, which lives on the host.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType

from directrix.lab.state import HostState
from directrix.system import namespaces

PATIENCE = 5.0
"""Seconds a client waits for an answer: so long, a lost packet or two are only a delay."""
SLOW = 0.5
"""Seconds from which on a person notices that something was slow."""

_BETWEEN = 0.2
"""Seconds between an answer over a kept connection and the next request."""
_LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Request:
    """A request: when it was begun (monotonic clock), how long it took, who answered; or what went wrong."""

    at: float
    took: float
    server: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of requests.

    Attributes:
        requests: how many there were.
        failed: of these, refused, reset, or not answered within PATIENCE.
        slow: of these, answered after more than SLOW.
        slowest: what the slowest of those took that were answered, in seconds.
        servers: how many each real server answered.
        troubles: what went wrong with those that failed.
    """

    requests: int
    failed: int
    slow: int
    slowest: float
    servers: Counter[str]
    troubles: Counter[str]


def tally(requests: list[Request]) -> Tally:
    """Sum up."""
    answered = [request for request in requests if not request.trouble]
    return Tally(
        len(requests),
        len(requests) - len(answered),
        sum(request.took > SLOW for request in answered),
        max((request.took for request in answered), default=0.0),
        Counter(request.server for request in answered),
        Counter(request.trouble for request in requests if request.trouble),
    )


@dataclass(slots=True)
class Kept:
    """A connection that is kept.

    Attributes:
        server: who answers.
        answers: how many came so far.
        ended: why it goes on no more; empty while it does.
        released: nobody needs it any more.
    """

    server: str = ""
    answers: int = 0
    ended: str = ""
    released: bool = False


class Clients:
    """Clients that ask for the length of a `with` block."""

    def __init__(self, host: HostState, address: str, port: int, rate: float = 100.0) -> None:
        """Nothing happens yet.

        Args:
            host: where the clients are.
            address, port: whom they ask.
            rate: new requests a second, each over a connection of its own.
        """
        self._host = host
        self._address, self._port = address, port
        self._interval = 1.0 / rate
        self._done: list[Request] = []
        self._under_way: dict[object, float] = {}
        self._loop = asyncio.new_event_loop()
        self._over = False
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()

    def since(self, moment: float) -> Tally:
        """What became of the requests begun since a moment (monotonic clock); those under way are waited for."""
        until = time.monotonic()
        while min(tuple(self._under_way.values()), default=until) < until:
            time.sleep(_LOOK)
        return tally([request for request in tuple(self._done) if moment <= request.at < until])

    def keep(self, count: int, port: int) -> list[Kept]:
        """So many connections that are kept from now on, each with its first answer, or the reason why it has none."""
        kept = [Kept() for _ in range(count)]
        for one in kept:
            asyncio.run_coroutine_threadsafe(self._converse(one, port), self._loop)
        while any(not one.answers and not one.ended for one in kept):
            time.sleep(_LOOK)
        return kept

    def gone_on(self, kept: list[Kept]) -> int:
        """How many of those connections are answered once more; each has PATIENCE, then they are released."""
        before = [one.answers for one in kept]
        # The answer to a request that was sent before now says nothing about now.
        while any(one.answers < count + 2 and not one.ended for one, count in zip(kept, before, strict=True)):
            time.sleep(_LOOK)
        for one in kept:
            one.released = True
        return sum(not one.ended for one in kept)

    def _live(self) -> None:
        namespaces.enter(self._host.namespace)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._ask_on())

    async def _ask_on(self) -> None:
        due = time.monotonic()
        asking: set[asyncio.Task[None]] = set()
        while not self._over:
            task = asyncio.create_task(self._ask())
            asking.add(task)
            task.add_done_callback(asking.discard)
            due += self._interval
            await asyncio.sleep(max(due - time.monotonic(), 0.0))

    async def _ask(self) -> None:
        begun, name = time.monotonic(), object()
        self._under_way[name] = begun
        server = trouble = ""
        try:
            async with asyncio.timeout(PATIENCE):
                server = await _page(self._address, self._port)
        except TimeoutError:
            trouble = "no answer"
        except OSError as error:
            trouble = error.strerror or str(error)
        finally:
            # Done first, or it would be neither for a moment.
            self._done.append(Request(begun, time.monotonic() - begun, server, trouble))
            del self._under_way[name]

    async def _converse(self, kept: Kept, port: int) -> None:
        writer = None
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(self._address, port)
            while not kept.released:
                async with asyncio.timeout(PATIENCE):
                    writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
                    await reader.readuntil(b"\r\n\r\n")
                    kept.server = (await reader.readline()).decode().strip()
                kept.answers += 1
                await asyncio.sleep(_BETWEEN)
        except TimeoutError:
            kept.ended = "no answer"
        except (OSError, EOFError) as error:
            kept.ended = str(error)
        finally:
            if writer is not None:
                writer.close()


async def _page(address: str, port: int) -> str:
    """What is answered to one request over a connection of its own.

    Raises:
        OSError: it is refused, reset, or closed without an answer.
    """
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        words = (await reader.read(-1)).split()
    finally:
        writer.close()
    if not words:
        raise ConnectionError("closed without an answer")
    return words[-1].decode(errors="replace")
