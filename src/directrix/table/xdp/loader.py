"""Making a table, and giving a running one newer programs.

A table is made of fresh maps, pinned before anything is attached. Loading again uses the pinned
maps as they are, so whatever replaces the programs goes on with the same services and
connections. The programs themselves are not pinned: what is attached holds them, and when a
network namespace dies its programs die with it, which is how leftovers of it are told.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from directrix.lvs import Timeouts
from directrix.lvs.errors import InvalidRequest, TableUnavailable
from directrix.lvs.sysctls import DEFAULTS
from directrix.system import namespaces
from directrix.table.xdp import layout, libbpf, sysctls
from directrix.table.xdp.clock import Ticks, jiffies_a_second, timeout_ticks
from directrix.table.xdp.host import OBJECT, TRACE_OBJECT
from directrix.table.xdp.maps import PROGRAMS, Maps, pin_name
from directrix.table.xdp.pins import Place, all_places, make_room

DEFAULT_CONNECTIONS = 1_000_000
MOST_CONNECTIONS = 100_000_000
ALL_HOOKS = frozenset({"directrix_xdp", "directrix_tc_behind", "directrix_tc", "directrix_tc_ip"})
"""The programs that are attached to devices."""

_HOP_SECONDS = 0.25
"""How old the data plane's copy of a real server's MAC may become while it is used."""

_ROOM = 1.6
"""Slots for each connection: with two buckets to choose from, eight slots each, a table filled to
its number of connections is then 62 % full and a bucket pair without room does not happen."""

_SMALLEST_TABLE = 512
_OF_THE_PROGRAMS = ("scratch", "no_replicas", "ways_back", "next_hops", ".data.answers", ".rodata", ".data")
"""Maps (by how their names end) that come and go with the programs; all others are the table."""

_PACKET = bytes(64)


def check_connections(connections: int) -> None:
    """A table's size has to make sense.

    Raises:
        InvalidRequest: it does not.
    """
    if not 1 <= connections <= MOST_CONNECTIONS:
        raise InvalidRequest(f"a table holds 1 to {MOST_CONNECTIONS:,} connections, not {connections:,}")


def object_hash() -> str:
    """What tells one build of the data plane from another."""
    return hashlib.sha256(OBJECT.read_bytes()).hexdigest()[:16]


def bucket_count(connections: int) -> int:
    """How many buckets a table for so many connections has: a multiple of those in a line of heads."""
    slots = max(int(connections * _ROOM), _SMALLEST_TABLE)
    lines = -(-slots // (layout.BUCKET_SLOTS * layout.HEADS_IN_LINE))
    return lines * layout.HEADS_IN_LINE


def _parameters(connections: int, ticks: Ticks) -> bytes:
    buckets = bucket_count(connections)
    return layout.PARAMETERS.whole.pack(
        secrets.token_bytes(16),
        buckets,
        buckets // layout.HEADS_IN_LINE,
        connections,
        ticks.hertz,
        libbpf.possible_cpus(),
        ticks.from_seconds(_HOP_SECONDS),
    )


def _prepare_new(data_plane: libbpf.Object, connections: int) -> None:
    ticks = Ticks(jiffies_a_second())
    buckets = bucket_count(connections)
    data_plane.resize("buckets", buckets)
    data_plane.resize("heads", buckets // layout.HEADS_IN_LINE)
    data_plane.resize("server_stats", libbpf.possible_cpus() * layout.MAX_SERVERS)
    data_plane.resize("reply_stats", libbpf.possible_cpus() * layout.MAX_SERVERS)
    data_plane.set_value(".rodata.parameters", _parameters(connections, ticks))
    front = memoryview(bytearray(layout.FRONT.size))
    layout.FRONT.pack_into(
        front,
        0,
        lo=1,
        layout=layout.LAYOUT_VERSION,
        set_cursor=1,
        timeout=timeout_ticks(Timeouts(), ticks),
    )
    sysctls.write(front, DEFAULTS, ticks)
    data_plane.set_value(".data.front", bytes(front))


def _explain(error: OSError) -> TableUnavailable:
    said = libbpf.heard().strip()
    if error.errno == errno.EPERM:
        return TableUnavailable(
            "the kernel does not let this process use BPF", "it needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or root"
        )
    if error.errno == errno.ENOMEM:
        return TableUnavailable(
            "there is not enough memory for a table of this size", "ask for fewer: directrix up --connections N"
        )
    if error.errno == errno.ENOSYS:
        return TableUnavailable("this kernel has no BPF", "it needs CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT")
    last = said.splitlines()[-1] if said else ""
    return TableUnavailable(f"the data plane can't be loaded ({error.strerror}{': ' + last if last else ''})")


@contextmanager
def loaded(
    place: Place, connections: int = DEFAULT_CONNECTIONS, hooks: frozenset[str] = ALL_HOOKS
) -> Iterator[libbpf.Object]:
    """The programs, loaded over the maps of `place`; new maps are made and pinned if it has none.

    What was made is taken back if the body fails. `connections` counts only for a new table,
    `hooks` names the programs to be attached; the others are left out.

    Raises:
        TableUnavailable: it can't be done here; says why.
    """
    fresh = not place.loaded()
    data_plane = libbpf.Object.open(OBJECT)
    try:
        data_plane.only({*hooks, "directrix_clock", *PROGRAMS.values()})
        if fresh:
            place.unpin()
            make_room(place)
            _prepare_new(data_plane, connections)
        else:
            _reuse_maps(place, data_plane)
        try:
            data_plane.load()
        except OSError as error:
            raise _explain(error) from None
        if fresh:
            _pin_maps(place, data_plane)
        _pin_programs(place, data_plane)
        start_clock(data_plane)
        yield data_plane
    except BaseException:
        if fresh:
            place.unpin()
        raise
    finally:
        data_plane.close()


@contextmanager
def traced(place: Place, wanted: bytes, hooks: frozenset[str] = ALL_HOOKS) -> Iterator[libbpf.Object]:
    """The programs with eyes, loaded over the maps of the table at `place`.

    Args:
        place: of a table that is loaded.
        wanted: struct trace_filter.
        hooks: the programs that are needed.

    Raises:
        TableUnavailable: it can't be done here; says why.
    """
    data_plane = libbpf.Object.open(TRACE_OBJECT)
    try:
        data_plane.only(set(hooks))
        _reuse_maps(place, data_plane)
        data_plane.set_value(".data.trace_filter", wanted)
        try:
            data_plane.load()
        except OSError as error:
            raise _explain(error) from None
        yield data_plane
    finally:
        data_plane.close()


def _table_maps(data_plane: libbpf.Object) -> list[str]:
    return [name for name in data_plane.maps if not name.endswith(_OF_THE_PROGRAMS)]


def _reuse_maps(place: Place, data_plane: libbpf.Object) -> None:
    maps = Maps(place)
    try:
        version = layout.FRONT.get(maps.front.bytes, 0, "layout")
    finally:
        maps.close()
    if version != layout.LAYOUT_VERSION:
        raise TableUnavailable(
            f"the running table has layout {version}, this directrix has {layout.LAYOUT_VERSION}",
            "`directrix ipvsadm -Sn` saves the services; then directrix down, and restore with `directrix ipvsadm -R`",
        )
    for name in _table_maps(data_plane):
        pin = place.pins / pin_name(name)
        if not pin.exists():
            continue
        fd = libbpf.get(pin)
        try:
            data_plane.reuse(name, fd)
        finally:
            os.close(fd)


def _pin_maps(place: Place, data_plane: libbpf.Object) -> None:
    # front last: its pin says that the table is whole
    for name in sorted(_table_maps(data_plane), key=lambda name: name == ".data.front"):
        libbpf.pin(data_plane.map_fd(name), place.pins / pin_name(name))


def _pin_programs(place: Place, data_plane: libbpf.Object) -> None:
    for pin, program in PROGRAMS.items():
        draft = place.pins / f"{pin}_new"
        draft.unlink(missing_ok=True)
        libbpf.pin(data_plane.program(program), draft)
        draft.rename(place.pins / pin)


def start_clock(data_plane: libbpf.Object) -> None:
    """Start the table's clock, or have a running one go on with this program."""
    result = libbpf.run(data_plane.program("directrix_clock"), _PACKET)
    if result.value:
        raise TableUnavailable(f"the kernel refused the table's timer (step {result.value})")


def remove_leftovers(root: Path) -> None:
    """Free the tables of network namespaces that are gone: their memory is not given back by itself."""
    for place in all_places(root):
        with place.lock_if_free() as free:
            # somebody at work there has a table without a record yet
            if free and _is_left_over(place):
                place.remove()


def _is_left_over(place: Place) -> bool:
    record = place.read_record()
    if any(libbpf.program_exists(known["program"]) for known in record.get("attachments", ())):
        return False
    return record.get("namespace") not in namespaces.live_inodes()
