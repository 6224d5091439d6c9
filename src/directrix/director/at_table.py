"""A second way to the table, for what takes long: a process of its own, with a table of its own.

Reading ten thousand real servers takes a tenth of a second, looking through a million connections too. Checks, VRRP and
the watchdog go on meanwhile. It is a process, because Python's threads take turns: one that computes holds up every
system call of the others, and a check is nothing but system calls.

The process is started when there is something to do, in the same network namespace, and ends with the director. It is
told over its stdin which function to call with the table, and gives over its stdout what that gave, both as pickles
behind their length. One thing is done at a time.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar

from directrix.lvs import TableError
from directrix.lvs.errors import TableUnavailable
from directrix.table.interface import Table

_LONGEST = 60.0
"""Seconds after which a process that doesn't answer is ended."""
_BUFFER = 1 << 20
_LENGTH = struct.Struct("=Q")

P = ParamSpec("P")
T = TypeVar("T")


class AtTable:
    """Does work at a table, beside the event loop."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def do(self, work: Callable[Concatenate[Table, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it, and give what it gives.

        Args:
            work: a function of a module, called with the table and the arguments.
            args: values.
            kwargs: values.

        Raises:
            TableError: the table refuses.
            OSError: there is no table, or nobody who could do it.
        """
        asked = pickle.dumps((work, args, kwargs))
        async with self._turn:
            try:
                async with asyncio.timeout(_LONGEST):
                    succeeded, answer = pickle.loads(await self._ask(asked))
            except (TimeoutError, asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
                await self._end()
                raise OSError(5, "the process that reads the table has ended") from None
            except BaseException:
                # Its answer would be taken for the next one's.
                await self._end()
                raise
        if succeeded:
            result: T = answer
            return result
        number, reason = answer
        raise OSError(5, reason) if number is None else TableError(number, reason)

    async def _ask(self, asked: bytes) -> bytes:
        if self._process is None or self._process.returncode is not None:
            words = (sys.executable, "-P", "-m", "directrix.director.at_table")
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=_BUFFER)
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None
        assert reader is not None
        writer.write(_LENGTH.pack(len(asked)) + asked)
        await writer.drain()
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
                await process.stdin.wait_closed()


def serve(source: BinaryIO, sink: BinaryIO, table: Table) -> None:
    """Do what is asked until nobody asks any more."""
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        work, args, kwargs = pickle.loads(source.read(*_LENGTH.unpack(head)))
        answer = pickle.dumps(_done(lambda: work(table, *args, **kwargs)))  # noqa: B023 it is called at once
        sink.write(_LENGTH.pack(len(answer)) + answer)
        sink.flush()


def _done(work: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, work()
    except TableError as error:
        return False, (error.errno, error.reason)
    except Exception as error:  # a fault of ours must not take the process away from those that come next
        return False, (None, f"a fault of directrix itself: {error!r}")


def main() -> int:
    """Serve the director that has started this process."""
    import signal

    from directrix.table.opening import open_table

    # Ctrl-C is for the director, which ends this process when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with closing(open_table(create=False)) as table:
            serve(sys.stdin.buffer, sys.stdout.buffer, table)
    except TableUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
