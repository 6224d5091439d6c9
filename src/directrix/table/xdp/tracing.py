"""A trace: the programs with eyes in place of the plain ones for as long as somebody looks.

`tracing` exchanges the programs at every device, one atomic exchange a hook, and puts those back
that were there, whatever ends it. One trace at a time: it holds the lock on a file beside the table's
record, which the kernel lets go of when the process ends. The exchange is in the record, under a
token: whoever exchanges the programs anew (`directrix up`, `down`) leaves the token out, and the trace
knows that it is over.

A trace that was killed leaves its programs where they are. They fall asleep within seconds, since
nobody extends their time (bpf/trace.h), and the next command that changes the table renews them
(`left_behind`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from directrix.lvs.errors import InvalidRequest, TableError, TableUnavailable
from directrix.table.trace import MOST_RATE, MOST_SNAP, Filter, Traced
from directrix.table.xdp import attachment, handover, libbpf, loader, pins
from directrix.table.xdp.attachment import Attachment
from directrix.table.xdp.clock import Ticks, current_tick
from directrix.table.xdp.devices import current_links
from directrix.table.xdp.host import check_host
from directrix.table.xdp.maps import Maps, Shared
from directrix.table.xdp.trace_layout import EVENT, STATE, event_from, filter_bytes

_AWAKE_SECONDS = 3.0
"""How long the programs look without hearing from their reader."""
_POLL_MS = 250
_CHECK_SECONDS = 1.0


class TraceOver(TableError):
    """Somebody else exchanged the programs: there is nothing to see any more."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, "the programs were exchanged or taken down meanwhile: this trace is over")


class Tracer:
    """A trace at work. `skipped` and `lost` count the packets not shown, for the rate and for a slow reader."""

    def __init__(self, place: pins.Place, data_plane: libbpf.Object, token: str) -> None:
        self._place = place
        self._token = token
        self._state = Shared(data_plane.map_fd(".data.trace"), STATE.size)
        self._maps = Maps(place)
        self._ticks = Ticks(self._maps.parameter("hertz"))
        self._names: dict[int, str] = {}
        self._since = time.time_ns() - time.monotonic_ns()
        self._checked = time.monotonic()
        self.stay_awake()
        self._ring = libbpf.Ring(data_plane.map_fd("trace_ring"))

    def stay_awake(self) -> None:
        """Tell the programs that we are still here."""
        until = current_tick(self._maps.front.bytes, self._ticks) + self._ticks.from_seconds(_AWAKE_SECONDS)
        self._state.words[STATE.offsets["until"] // 4] = until & 0xFFFFFFFF

    def poll(self, seconds: float = _POLL_MS / 1000) -> list[Traced]:
        """The packets since the last call; waits for one, so long at most.

        Raises:
            TraceOver: there will be none any more.
        """
        self.stay_awake()
        found = self._ring.poll(max(min(int(seconds * 1000), _POLL_MS), 0))
        if time.monotonic() - self._checked >= _CHECK_SECONDS:
            self._checked = time.monotonic()
            if self._place.read_record().get("trace") != self._token:
                raise TraceOver
        return [event_from(data, self._ticks, self._since, self._name) for data in found if len(data) >= EVENT.size]

    def _name(self, ifindex: int) -> str:
        if ifindex not in self._names:
            try:
                self._names[ifindex] = socket.if_indextoname(ifindex)
            except OSError:
                self._names[ifindex] = f"#{ifindex}"
        return self._names[ifindex]

    @property
    def skipped(self) -> int:
        """Packets that were more than the rate allows."""
        return STATE.get(self._state.bytes, 0, "skipped")

    @property
    def lost(self) -> int:
        """Packets we were too slow for."""
        return STATE.get(self._state.bytes, 0, "lost")

    def close(self) -> None:
        """Put the programs to sleep and give back what we hold."""
        self._state.words[STATE.offsets["until"] // 4] = current_tick(self._maps.front.bytes, self._ticks)
        self._ring.close()
        self._maps.close()


@contextmanager
def tracing(wanted: Filter, rate: int, snap: int) -> Iterator[Tracer]:
    """Trace the packets of this network namespace's table.

    The caller keeps signals from ending it in between (`noting_the_end`).

    Args:
        wanted: which ones.
        rate: how many a second at most, 1 to MOST_RATE.
        snap: bytes of each frame to show, 0 to MOST_SNAP.

    Raises:
        TableUnavailable: there is no table, or it is attached nowhere.
        InvalidRequest: the rate or the number of bytes makes no sense.
        TableError: somebody traces already, or the programs are of another build.
    """
    check_host()
    if not 1 <= rate <= MOST_RATE:
        raise InvalidRequest(f"a trace shows 1 to {MOST_RATE:,} packets a second, not {rate:,}")
    if not 0 <= snap <= MOST_SNAP:
        raise InvalidRequest(f"a trace shows 0 to {MOST_SNAP:,} bytes of a frame, not {snap:,}")
    place = pins.here()
    if not place.loaded():
        raise TableUnavailable(
            "there is no table in this network namespace", "the first service makes one, and so does directrix up"
        )
    with _alone(place), ExitStack() as ending:
        with place.lock():
            exchange = _Exchange(place)
            programs = filter_bytes(wanted, rate, snap)
            data_plane = ending.enter_context(loader.traced(place, programs, exchange.programs))
            tracer = Tracer(place, data_plane, exchange.token)
            ending.callback(tracer.close)
            ending.callback(exchange.end)
            exchange.begin(data_plane)
        yield tracer


def left_behind(place: pins.Place) -> bool:
    """Whether the trace of which the table's record tells was killed, and its programs are still attached."""
    with suppress(BlockingIOError):
        _lock(place).close()
        return True
    return False


def _lock(place: pins.Place) -> IO[str]:
    """The lock of whoever traces.

    Raises:
        BlockingIOError: somebody does.
    """
    file = open(place.own / "trace", "a+")  # noqa: SIM115  closed by the caller
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


@contextmanager
def _alone(place: pins.Place) -> Iterator[None]:
    try:
        file = _lock(place)
    except BlockingIOError:
        pid = (place.own / "trace").read_text().strip()
        raise TableError(errno.EBUSY, f"process {pid} traces already, and one at a time can; end it first") from None
    with file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class _Exchange:
    """The exchange of all programs, and its undoing. Made and begun under the table's lock."""

    def __init__(self, place: pins.Place) -> None:
        """See what is attached.

        Raises:
            TableUnavailable: nothing is.
            TableError: it is of another build.
        """
        self._place = place
        self._record = place.read_record()
        if self._record.get("program") != loader.object_hash():
            raise TableError(
                errno.ESTALE, "the attached programs are of another build; `directrix up` renews them in place"
            )
        types = {link.index: link.type for link in current_links()}
        attached = filter(attachment.is_there, attachment.from_record(self._record))
        self._names = {known: attachment.program_of(known, types[known.ifindex]) for known in attached}
        if not self._names:
            raise TableUnavailable("the data plane is attached to no interface", "run directrix up")
        self._held: list[tuple[Attachment, int]] = []
        self._behind = handover.exists()
        self._behind_held = 0
        self.token = secrets.token_hex(8)

    @property
    def programs(self) -> frozenset[str]:
        """The names of the programs that are exchanged."""
        return frozenset({*self._names.values(), *(["directrix_tc_behind"] if self._behind else [])})

    def begin(self, data_plane: libbpf.Object) -> None:
        """Put the programs with eyes in place of all that are attached."""
        try:
            self._held = [(known, libbpf.program_by_id(known.program)) for known in self._names]
            now = [attachment.exchange(known, data_plane.program(name)) for known, name in self._names.items()]
            if self._behind:
                self._behind_held = libbpf.program_by_id(handover.program())
                handover.exchange(data_plane.program("directrix_tc_behind"))
        except BaseException:
            self._undo()
            raise
        self._place.write_record({**self._record, "attachments": attachment.to_record(now), "trace": self.token})

    def end(self) -> None:
        """Put back the programs there were, unless others came there meanwhile."""
        try:
            if self._place.loaded():
                with self._place.lock():
                    self._end()
        finally:
            for fd in [*(fd for _, fd in self._held), self._behind_held]:
                if fd:
                    os.close(fd)

    def _end(self) -> None:
        record = self._place.read_record()
        if record.get("trace") == self.token:
            del record["trace"]
            self._place.write_record({**record, "attachments": attachment.to_record(self._undo())})

    def _undo(self) -> list[Attachment]:
        now = []
        for known, fd in self._held:
            with suppress(OSError):  # a device that is gone
                now.append(attachment.exchange(known, fd))
        if self._behind_held:
            with suppress(OSError):
                handover.exchange(self._behind_held)
        return now
