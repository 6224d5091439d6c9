"""The data plane as the tests here drive it: packets go in by BPF_PROG_TEST_RUN, nothing is on a wire.

How it works: one network namespace holds two veth devices, `wire` and `arm`, with permanent
neighbours for the real servers behind them, and one small table. Before each test the table's
memory is wiped, which takes a millisecond; making it anew takes half a second.

Neither the look-up of next hops nor its refresh is left to chance: `freeze_hops` looks them up, and what
is known stays known for HOP_SECONDS, however slow the machine is; `reset` forgets ways back to clients and
when the kernel last had a packet for their next hops. Nor is the estimator: the table's clock leaves it alone
here (`run_estimation` is 0), and `estimate` has its turn; whoever asks the plane's table for
figures has it first. A table that a test fills is not under flood unless it says so (`flood_defence`
is 0).
"""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest import mock

from directrix.lvs import (
    Address,
    Counters,
    Family,
    Protocol,
    Rates,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    Timeouts,
    VirtualService,
)
from directrix.lvs.handshakes import UNIT
from directrix.lvs.service import default_netmask
from directrix.lvs.sysctls import DEFAULTS
from directrix.system import namespaces
from directrix.table.xdp import director, layout, libbpf, loader, pins, sysctls
from directrix.table.xdp._libbpf import ffi
from directrix.table.xdp.clock import Ticks
from directrix.table.xdp.devices import interface_names
from directrix.table.xdp.maps import ACCOUNT, Maps
from directrix.table.xdp.table import XdpTable
from directrix.table.xdp.verdicts import VERDICTS

CONNECTIONS = 1000
HOP_SECONDS = 600
"""How long a copy of a next hop is good: longer than any test. A table's is a quarter of a second."""
WIRE_MAC = bytes.fromhex("020000000001")
ARM_MAC = bytes.fromhex("020000000002")
GATEWAY_MAC = bytes.fromhex("0200000000fe")

XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = 1, 2, 3, 4
TC_UNSPEC, TC_SHOT, TC_REDIRECT = 0xFFFFFFFF, 2, 7
HANDED_UP_MARK = 0x6478
REPLY_KIND = 2
DATAGRAM_KEY_SIZE, DATAGRAM_SIZE, DATAGRAM_SEEN = 40, 88, 12
"""Of fragment.h: the sizes of struct datagram_key and struct datagram, and where `seen` is."""

VIP = ip_address("10.0.0.1")
VIP6 = ip_address("fd00::1")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
DNS = ServiceKey.of(Protocol.UDP, VIP, 53)
HTTP6 = ServiceKey.of(Protocol.TCP, VIP6, 80)
DNS6 = ServiceKey.of(Protocol.UDP, VIP6, 53)
DIAMETER = ServiceKey.of(Protocol.SCTP, VIP, 3868)
DIAMETER6 = ServiceKey.of(Protocol.SCTP, VIP6, 3868)

NAMES = [verdict.name for verdict in VERDICTS]
_ROOM = 1024
_LIBBPF = ctypes.CDLL("libbpf.so.1")


def real(number: int, version: int = 4) -> Address:
    """The address of real server `number`; 1 to 9 are on the wire, from 10 on behind the other arm."""
    if version == 4:
        return ip_address(f"10.0.{number // 10}.{10 + number}")
    return ip_address(f"fd00:0:0:{number // 10}::{10 + number}")


def real_mac(number: int) -> bytes:
    """The MAC of real server `number`."""
    return bytes.fromhex("0200000001") + bytes([number])


def number_of(address: Address) -> int:
    """The number of the real server with this address."""
    return (int(address) & 0xFF) - 10 if address.version == 4 else int(f"{int(address) & 0xFFFF:x}") - 10


def service(key: ServiceKey, scheduler: str = "rr", **values: Any) -> VirtualService:
    """A service with nothing special."""
    return VirtualService(key, scheduler, **{"netmask": default_netmask(key.family), **values})


_SET_UP = f"""
link add wire address {WIRE_MAC.hex(":")} type veth peer name wire-far
link add arm address {ARM_MAC.hex(":")} type veth peer name arm-far
link set lo up
link set wire up
link set arm up
link set wire-far up
link set arm-far up
addr add 10.0.0.2/24 dev wire
addr add 10.0.1.2/24 dev arm
addr add fd00::2/64 dev wire nodad
addr add fd00:0:0:1::2/64 dev arm nodad
route add 192.0.2.0/24 via 10.0.0.254 dev wire
route add 2001:db8::/32 via fd00::fe dev wire
neigh replace 10.0.0.254 lladdr {GATEWAY_MAC.hex(":")} dev wire nud permanent
neigh replace fd00::fe lladdr {GATEWAY_MAC.hex(":")} dev wire nud permanent
""" + "".join(
    f"neigh replace {real(number, version)} lladdr {real_mac(number).hex(':')} dev {device} nud permanent\n"
    for device, numbers in (("wire", range(1, 10)), ("arm", range(10, 13)))
    for number in numbers
    for version in (4, 6)
)


@contextmanager
def world(
    name: str, set_up: str = _SET_UP, devices: Sequence[str] = ("wire", "arm"), connections: int = CONNECTIONS
) -> Iterator[DataPlane]:
    """A network namespace with devices and a table, attached to these. All are gone afterwards.

    `set_up` makes the devices, veth with peers called DEVICE-far, one of them `wire`; what it says
    goes to `ip -batch`.
    """
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with namespaces.inside(name):
            for device in ("default", "all"):
                with open(f"/proc/sys/net/ipv6/conf/{device}/router_solicitations", "w") as file:
                    file.write("0")
            subprocess.run(["ip", "-batch", "-"], input=set_up, text=True, check=True)
            for device in devices:
                with open(f"/proc/sys/net/ipv6/conf/{device}-far/disable_ipv6", "w") as file:
                    file.write("1")
            with mock.patch.object(loader, "_HOP_SECONDS", HOP_SECONDS):
                director.bring_up(devices, hook="xdp", connections=connections)
            place = pins.here()
            try:
                with loader.loaded(place) as programs:
                    plane = DataPlane(place, programs)
                    # close() is left to the tests' end: a test may still be inside
                    yield plane
                with namespaces.inside(name):
                    plane.close()
            finally:
                with namespaces.inside(name):
                    director.take_down()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


class LiveTable(XdpTable):
    """A table that takes its counters down whenever it is asked for them."""

    def services(self) -> list[ServiceState]:
        self._estimate()
        return super().services()

    def service(self, key: ServiceKey) -> ServiceState:
        self._estimate()
        return super().service(key)

    def totals(self) -> tuple[Counters, Rates]:
        self._estimate()
        return super().totals()

    def _estimate(self) -> None:
        estimate(self._maps)


def estimate(maps: Maps) -> None:
    """Have the estimator its turn."""
    libbpf.run(maps.descriptor(ACCOUNT), bytes(14) + layout.ALL_SERVERS.to_bytes(4, "little") + bytes(46))


class Runner:
    """Runs one program over frames that come in at a device, with buffers made once: about 5 µs a frame."""

    def __init__(self, fd: int, context: bytes) -> None:
        self._fd = fd
        self._in = ffi.new("char[]", 65536)
        self._out = ffi.new("char[]", 65536)
        self._context = ffi.new("char[]", context)
        self._input, self._output = ffi.buffer(self._in), ffi.buffer(self._out)
        self._options = ffi.new("struct bpf_test_run_opts *")
        self._options.sz = ffi.sizeof("struct bpf_test_run_opts")
        self._options.data_in, self._options.data_out = self._in, self._out
        self._options.ctx_in, self._options.ctx_size_in = self._context, len(context)
        self._options.repeat = 1
        self._run = libbpf._library.bpf_prog_test_run_opts

    def __call__(self, frame: bytes) -> tuple[int, bytes]:
        """What the program returned, and the frame after it."""
        options, size = self._options, len(frame)
        self._input[0:size] = frame
        options.data_size_in = size
        options.data_size_out = size + _ROOM
        result = self._run(self._fd, options)
        if result < 0:
            raise OSError(-result, "test run")
        return options.retval, self._output[0 : options.data_size_out]


def _xdp_context(ifindex: int, length: int) -> bytes:
    return struct.pack("=6I", 0, length, 0, ifindex, 0, 0)


class XdpRunner(Runner):
    """The XDP context states the frame's length."""

    def __init__(self, fd: int, ifindex: int) -> None:
        super().__init__(fd, _xdp_context(ifindex, 0))
        self._words = ffi.cast("uint32_t *", self._context)

    def __call__(self, frame: bytes) -> tuple[int, bytes]:
        self._words[1] = len(frame)
        return super().__call__(frame)


class DataPlane:
    """The table of this namespace with its programs loaded."""

    def __init__(self, place: pins.Place, programs: libbpf.Object) -> None:
        self.place = place
        self.programs = programs
        self.maps = Maps(place)
        self.ticks = Ticks(self.maps.parameter("hertz"))
        self.table = LiveTable(place)
        self._heads = self.maps._shared("heads", self.maps.parameter("buckets") * 8)
        self._start = time.monotonic()
        libbpf.run(programs.program("directrix_clock"), bytes(64))
        self._first_tick = self.front("now")
        self._datagrams = self.maps.descriptor("datagrams")
        self.ifindex = {name: index for index, name in interface_names()}
        wire = self.ifindex["wire"]
        # struct __sk_buff: ingress_ifindex is the tenth word, ifindex the eleventh
        skb = bytearray(192)
        struct.pack_into("=II", skb, 36, wire, wire)
        self.xdp = XdpRunner(programs.program("directrix_xdp"), wire)
        self.tc = Runner(programs.program("directrix_tc"), bytes(skb))
        self.behind = Runner(programs.program("directrix_tc_behind"), bytes(skb))
        self.ip = Runner(programs.program("directrix_tc_ip"), bytes(skb))

    def runner_at(self, program: str, device: str) -> Runner:
        """A runner of a tc program over frames that come in at this device."""
        index = socket.if_nametoindex(device)
        skb = bytearray(192)
        struct.pack_into("=II", skb, 36, index, index)
        return Runner(self.programs.program(program), bytes(skb))

    def runner(self, hook: str) -> Runner:
        """Another one of the program at this hook, with buffers of its own: for a thread."""
        wire = self.ifindex["wire"]
        if hook == "xdp":
            return XdpRunner(self.programs.program("directrix_xdp"), wire)
        skb = bytearray(192)
        struct.pack_into("=II", skb, 36, wire, wire)
        return Runner(self.programs.program("directrix_tc"), bytes(skb))

    def close(self) -> None:
        """Give mappings back."""
        self.table.close()
        self.maps.close()

    # The state of the table as bytes.

    def reset(self) -> None:
        """Back to how the table was when it was made, except for the seed of its hash."""
        self.table.close()
        maps, front = self.maps, layout.FRONT
        for key in list(libbpf.map_keys(maps.vlans, layout.VLAN_KEY.size)):
            libbpf.map_delete(maps.vlans, key)
        for key in list(libbpf.map_keys(self._datagrams, DATAGRAM_KEY_SIZE)):
            libbpf.map_delete(self._datagrams, key)
        if self.front("beyond") & layout.BEYOND_REPLIES:
            for name in ("ways_back", "next_hops"):
                _clear(self.programs.map_fd(name))
        servers, services = self.front("server_top"), self.front("service_top")
        _wipe(maps.service_stats.bytes, 0, (layout.MAX_SERVICES + 1) * layout.STATISTICS.size)
        _wipe(maps.services.bytes, 0, services * layout.SERVICE.size)
        _wipe(maps.floods.bytes, 0, services * layout.FLOOD.size)
        _wipe(maps.budgets.bytes, 0, services * layout.BUDGET.size)
        epoch = layout.FLOODING.get(maps.flooding.bytes, 0, "epoch") + 4  # by which the sketch is forgotten
        layout.FLOODING.pack_into(maps.flooding.bytes, 0, epoch=epoch & 0xFFFFFFFF, floods=0)
        _wipe(maps.buckets.bytes, 0, len(maps.buckets.bytes))
        _wipe(self.heads, 0, len(self.heads))
        _wipe(maps.servers.bytes, 0, servers * layout.SERVER.size)
        _wipe(maps.hops.bytes, 0, servers * layout.HOP.size)
        _wipe(maps.handshakes.bytes, 0, servers * layout.HANDSHAKES.size)
        for cpu in range(maps.cpus):
            row = cpu * layout.MAX_SERVERS * layout.SERVER_COUNT.size
            _wipe(maps.server_stats.bytes, row, servers * layout.SERVER_COUNT.size)
            _wipe(maps.reply_stats.bytes, row, servers * layout.SERVER_COUNT.size)
        changes = self.front("changes")
        keep = {"lo": 1, "layout": layout.LAYOUT_VERSION, "set_cursor": 1, "changes": (changes + 1) & 0xFFFFFFFF}
        for name in ("up", "generation", "widest"):
            keep[name] = self.front(name)
        fresh = memoryview(bytearray(front.size))
        front.pack_into(fresh, 0, timeout=loader.timeout_ticks(Timeouts(), self.ticks), **keep)
        sysctls.write(fresh, {**DEFAULTS, "run_estimation": 0, "flood_defence": 0}, self.ticks)
        maps.front.bytes[: front.size] = fresh
        layout.FRONT.pack_into(maps.front.bytes, 0, now=self.tick(), now_ns=time.monotonic_ns())
        maps.fwmarks.words[layout.FWMARKS.offsets["in_force"] // 4] = 0
        _wipe(maps.fwmark_rules.bytes, 0, layout.FWMARK_RULE_ROW.size)
        self.table = LiveTable(self.place)

    @property
    def heads(self) -> memoryview:
        """Locks and visits of the buckets."""
        return self._heads.bytes[: self.maps.parameter("buckets") * 8]

    def front(self, name: str) -> int:
        """A number of struct front."""
        return layout.FRONT.get(self.maps.front.bytes, 0, name)

    def set_timeout(self, state: int, ticks: int) -> None:
        """Set the timeout of one state, in ticks."""
        self.maps.front.words[layout.FRONT.offsets["timeout"] // 4 + state] = ticks

    def tick(self) -> int:
        """The tick it is now or was just before, never one to come.

        Reckoned, for asking the data plane would put the next turn of its clock off.
        """
        passed = self.ticks.from_seconds(time.monotonic() - self._start)
        return self._first_tick + passed - 1 & 0xFFFFFFFF

    def next_tick(self) -> int:
        """The tick after this one, waited for."""
        now = self.tick()
        while self.tick() == now:
            time.sleep(0.002)
        return now + 1

    def numbers(self) -> list[int]:
        """The numbers of the real servers there are."""
        return [n for n in range(self.front("server_top")) if self.server(n, "in_use") == 1]

    def server(self, number: int, field: str) -> int:
        """A field of a struct server."""
        return layout.SERVER.get(self.maps.servers.bytes, number * layout.SERVER.size, field)

    def set_server(self, number: int, **values: int) -> None:
        """Write fields of a struct server."""
        layout.SERVER.pack_into(self.maps.servers.bytes, number * layout.SERVER.size, **values)

    def hop(self, number: int, field: str) -> int:
        """A field of a struct hop."""
        return layout.HOP.get(self.maps.hops.bytes, number * layout.HOP.size, field)

    def set_hop(self, number: int, **values: int) -> None:
        """Write fields of a struct hop."""
        layout.HOP.pack_into(self.maps.hops.bytes, number * layout.HOP.size, **values)

    def freeze_hops(self) -> None:
        """Know every next hop, and have no packet look it up again."""
        self.table.look_up_hops()
        self.keep_hops()

    def keep_hops(self) -> None:
        """Have no packet look a next hop up again."""
        now = self.tick()
        for number in self.numbers():
            self.set_hop(number, checked=now, asked=now)

    # Connections as they lie in their slots.

    def slots(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Offset and fields of every slot that is not free."""
        record = layout.CONNECTION
        for at in range(0, self.maps.parameter("buckets") * layout.BUCKET_SIZE, record.size):
            if any(self.maps.buckets.bytes[at : at + 8]):
                yield at, record.whole.unpack_from(self.maps.buckets.bytes, at)

    def slot(self, client_port: int, protocol: int = 6, kind: int = 0) -> int:
        """Offset of the live slot of this client port."""
        (found,) = [
            at
            for at, raw in self.slots()
            if raw[:5:2] == (socket.htons(client_port), protocol, kind) and not raw[8] & layout.CONNECTION_DEAD
        ]
        return found

    def field(self, at: int, name: str) -> int:
        """A field of the slot at this offset."""
        return layout.CONNECTION.get(self.maps.buckets.bytes, at, name)

    def set_field(self, at: int, **values: int) -> None:
        """Write fields of the slot at this offset."""
        layout.CONNECTION.pack_into(self.maps.buckets.bytes, at, **values)

    def age(self, seconds: float) -> None:
        """As if this time had passed, for every deadline and every handshake in the table."""
        ticks = self.ticks.from_seconds(seconds)
        units = int(seconds / UNIT)
        for at, raw in self.slots():
            if not raw[8] & layout.CONNECTION_DEAD or raw[4] == REPLY_KIND:
                self.set_field(at, expires=(raw[7] - ticks) & 0xFFFFFFFF)
                if not raw[4]:  # a template counts its children there
                    self.set_field(at, children=(raw[10] - units) & 0xFFFFFFFF)
        self.visit_all()

    def age_datagrams(self, seconds: float) -> None:
        """As if all fragments had come this much earlier."""
        ticks = self.ticks.from_seconds(seconds)
        for key in list(libbpf.map_keys(self._datagrams, DATAGRAM_KEY_SIZE)):
            value = bytearray(libbpf.map_lookup(self._datagrams, key, DATAGRAM_SIZE))
            (seen,) = struct.unpack_from("=I", value, DATAGRAM_SEEN)
            struct.pack_into("=I", value, DATAGRAM_SEEN, seen - ticks & 0xFFFFFFFF)
            libbpf.map_update(self._datagrams, key, bytes(value))

    def visit_all(self) -> None:
        """Have the clock look into every bucket on its next round."""
        words = self.heads.cast("I")
        words[1::2] = memoryview(struct.pack("=I", self.tick() or 1) * (len(words) // 2)).cast("I")

    def estimate(self) -> None:
        """Have the estimator its turn, as the table's clock does every two seconds elsewhere."""
        estimate(self.maps)

    # Verdicts.

    def verdicts(self) -> dict[str, int]:
        """The counters that are not zero; what was forwarded is counted at the servers."""
        start = layout.FRONT.offsets["verdicts"]
        words = self.maps.front.bytes[start : start + layout.MAX_CPUS * layout.VERDICTS * 8].cast("Q")
        rows = [words[cpu * layout.VERDICTS :][: len(NAMES)].tolist() for cpu in range(self.maps.cpus)]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        found = dict(zip(NAMES, sums, strict=True))
        assert found["forwarded"] == found["replied"] == 0
        found["forwarded"] = self.table.forwarded() - found["no_neighbour"] - found["local"]
        found["replied"] = self.table.replied()
        return {name: count for name, count in found.items() if count}

    def verdict_of(self, runner: Runner, frame: bytes) -> tuple[str, int, bytes]:
        """The one verdict a frame is counted with, what the program returned, and the frame after it."""
        before = self.verdicts()
        result, after = runner(frame)
        now = self.verdicts()
        (name,) = [name for name in now if now[name] != before.get(name, 0)]
        assert now[name] == before.get(name, 0) + 1
        return name, result, after

    def handed_up(self, frame: bytes) -> bytes:
        """A frame that came in at `wire` as XDP hands it up."""
        return struct.pack("=IH", self.ifindex["wire"], HANDED_UP_MARK) + frame[6:]

    def deliver(self, hook: str, frame: bytes) -> tuple[str, bytes]:
        """The last verdict of a frame, and the frame: what XDP hands up goes on through tc."""
        name, result, after = self.verdict_of(getattr(self, hook), frame)
        if name == "handed_up":
            assert (result, after) == (XDP_REDIRECT, self.handed_up(frame))
            name, _, after = self.verdict_of(self.behind, after)
        return name, after

    # Services, by the numbers of their real servers.

    def serve(self, key: ServiceKey, *weights: int, scheduler: str = "rr", **values: Any) -> None:
        """Add a service with real servers 1, 2, … of these weights."""
        self.table.add_service(service(key, scheduler, **values))
        for number, weight in enumerate(weights, start=1):
            self.add(key, number, weight)
        self.freeze_hops()

    def add(self, key: ServiceKey, number: int, weight: int = 1, upper: int = 0, lower: int = 0) -> None:
        """Add a real server."""
        self.table.add_server(key, self.real_server(key, number, weight, upper, lower))
        self.freeze_hops()

    @staticmethod
    def real_server(key: ServiceKey, number: int, weight: int = 1, upper: int = 0, lower: int = 0) -> RealServer:
        """Real server `number` of a service."""
        address = real(number, 4 if key.family is Family.INET else 6)
        return RealServer(address, key.port, weight=weight, upper_threshold=upper, lower_threshold=lower)

    def state(self, key: ServiceKey, number: int) -> ServerState:
        """What the table says of a real server."""
        return next(s for s in self.table.service(key).servers if number_of(s.server.address) == number)

    def counts(self, key: ServiceKey, number: int) -> tuple[int, int]:
        """Active and inactive connections of a real server."""
        state = self.state(key, number)
        return state.active, state.inactive

    def wait_for(self, condition: Any, seconds: float = 30.0) -> None:
        """Wait until a condition holds: what the table's clock does by itself.

        It is looked at once more after the time is up: the table's clock may have been punctual, and we not.
        """
        end = time.monotonic() + seconds
        over = False
        while not condition():
            assert not over, "the clock has not done it in time"
            time.sleep(0.02)
            over = time.monotonic() >= end


def _clear(fd: int) -> None:
    """Make an array map zeros that is no memory of ours."""
    about = dict(line.split(":\t") for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
    keys, zeros = _nothing(int(about["max_entries"]), int(about["value_size"]))
    count = ctypes.c_uint32(len(keys) // 4)
    assert _LIBBPF.bpf_map_update_batch(fd, keys, zeros, ctypes.byref(count), None) == 0
    assert count.value == len(keys) // 4


@cache
def _nothing(entries: int, size: int) -> tuple[bytes, bytes]:
    return struct.pack(f"={entries}I", *range(entries)), bytes(entries * size)


def _wipe(memory: memoryview, start: int, size: int) -> None:
    memory[start : start + size] = bytes(size)
