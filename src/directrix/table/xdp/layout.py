"""The layouts shared with the data plane: `bpf/table.h`, stated once more for Python.

A test holds every size and offset here against the BTF of the compiled object.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from directrix.lvs import handshakes
from directrix.lvs.sysctls import DEFAULTS

LAYOUT_VERSION = 3
TICK_SHIFT = 2
BUCKET_SLOTS = 8
HEADS_IN_LINE = 8
SET_UNIT_ENTRIES = 32
SET_UNIT_SIZE = 256
SET_UNIT_PLACES = 128
SUMMARY_BITS = 35
INDEX_SIZE = 32768
INDEX_SHIFT = 49
INDEX_GHOST = 0xFFFF
ADDRESS_MARKS = 4096
MARK_SHIFT = 52
ADDRESS_VIRTUAL = 1
ADDRESS_ANY_PORT = 2
ADDRESS_MASQUERADED = 4
BEYOND_ANY_PORT, BEYOND_REPLIES = 1, 2
CHAIN_MOST = 32
MAX_CPUS = 256
MAX_SERVICES = 16384
MAX_SERVERS = 65536
ALL_SERVERS = 0xFFFFFFFF
MAX_SET_UNITS = 65536
MAX_DEVICES = 4096
MAX_LOCALITIES = 65536
MAX_REPLICA_SETS = 16384
MAX_REPLICAS = 30
MAX_FWMARK_RULES = 4096
MAX_FWMARK_PREFIXES = 24576
MAX_FWMARK_RANGES = 32768
FWMARK_HEAD_BITS = 64
SKETCH_BITS = 18
BUDGET_SHIFT = 10
BUDGET_WAYS = 8
BUDGET_LINE_BITS = 14
VERDICTS = 32
STATES = 32
STATE_MASK = 0x7F
STATE_COUNTED = 0x80
TODROP_MOST = 8
UDP_STATE = 16
SCTP_STATES = 17
"""The first of SCTP's states; the others follow by their numbers."""
CURSOR_AT_HEAD = 0xFFFFFFFF

SERVICE_PERSISTENT = 0x01
SERVICE_ONE_PACKET = 0x04
SERVER_AVAILABLE, SERVER_LOCAL, SERVER_TUNNEL, SERVER_IPIP4, SERVER_MASQUERADE = 0x01, 0x02, 0x04, 0x08, 0x10
DEVICE_REDIRECT = 0x01
CONNECTION_ACTIVE = 0x100
CONNECTION_TEMPLATE = 0x200
CONNECTION_ASSURED = 0x400
CONNECTION_DEAD = 0x800
CONNECTION_MASQUERADED = 0x1000
CONNECTION_PACKET = 0x10000
SLOT_CLAIMED = 1
FWMARK_RULE = 1
FWMARK_GHOST = 2
GUARD_DROP_PACKET, GUARD_BUDGETS = 1, 2
FLOOD_OFF, FLOOD_ENDING, FLOOD_ON = range(3)

INDEX_PRIME = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Record:
    """A C struct: its fields with their offsets, and how to unpack a whole one at once."""

    name: str
    size: int
    offsets: dict[str, int]
    formats: dict[str, str]
    places: dict[str, int]
    whole: struct.Struct

    def pack_into(self, buffer: memoryview, base: int, **values: int | bytes) -> None:
        """Write some fields of the record that starts at `base`."""
        for field, value in values.items():
            struct.pack_into("=" + self.formats[field], buffer, base + self.offsets[field], value)

    def get(self, buffer: memoryview, base: int, field: str) -> int:
        """One number of the record that starts at `base`."""
        value: int = struct.unpack_from("=" + self.formats[field], buffer, base + self.offsets[field])[0]
        return value


def _record(name: str, fields: str, align: int = 8, aligned: dict[str, int] | None = None) -> Record:
    """A record from `name:format` pairs, laid out by C's rules. `aligned` gives wider alignments."""
    offset = 0
    parts: list[str] = []
    offsets: dict[str, int] = {}
    formats: dict[str, str] = {}
    places: dict[str, int] = {}
    for place, pair in enumerate(fields.split()):
        field, _, form = pair.partition(":")
        size = struct.calcsize("=" + form)
        unit = (aligned or {}).get(field, 4 if form.endswith("s") else size)
        gap = -offset % unit
        parts.append(f"{gap}x{form}")
        offset += gap
        offsets[field], formats[field], places[field] = offset, form, place
        offset += size
    tail = -offset % align
    return Record(name, offset + tail, offsets, formats, places, struct.Struct("=" + "".join(parts) + f"{tail}x"))


SERVICE_KEY = _record("service_key", "address:16s port:H protocol:B family:B", align=4)

PARAMETERS = _record(
    "parameters", "seed:16s buckets:I head_lines:I max_connections:I hertz:I cpus:I hop_ticks:I", aligned={"seed": 8}
)

SYSCTLS = _record(
    "sysctls",
    " ".join(f"{name}:{'8s' if isinstance(value, tuple) else 'i'}" for name, value in DEFAULTS.items()),
    align=4,
)

DEFENCE = _record("defence", "drop_rate:i drop_counter:i todrop:64s", align=4)

FRONT = _record(
    "front",
    "plain:I beyond:I service_top:I ftp:I connections:I now:I server_top:I lo:I layout:I changes:I set_cursor:I "
    "generation:I up:I lblc_expiration:I lblcr_expiration:I "
    f"timeout:{STATES * 4}s index:{INDEX_SIZE * 2}s address_mark:{ADDRESS_MARKS}s "
    f"verdicts:{MAX_CPUS * VERDICTS * 8}s forwarded:Q replied:Q now_ns:Q guards:I flood:I estimates:I "
    f"sysctl:{SYSCTLS.size}s defence:{DEFENCE.size}s widest:I tunnels:I",
    aligned={"index": 2, "address_mark": 1, "verdicts": 8},
)

SERVICE = _record(
    "service",
    "set:I scheduler:B flags:B scheduler_flags:B in_use:B persistence:I persistence_seconds:I mask:16s key:20s "
    "netmask:I generation:I next:I epoch:I pad:I",
)

SERVER_SET = _record(
    "server_set",
    "count:I units:I gcd:I max_weight:I cursor:Q scheduler:I flags:I epoch:I pad:I reserved:216s",
    aligned={"reserved": 8},
)

SET_ENTRY = _record("set_entry", "server:I weight:I", align=4)

SUMMARY = _record("summary", "known:Q version:I pad:I")

HOP = _record(
    "hop",
    "flags:I state:I mac:Q source:Q ifindex:I wire:I tags:I checked:I asked:I answer:h mtu:H outer:16s",
)

SERVER = _record(
    "server",
    "active:I inactive:I persistent:I overload:I connections:Q unit:I incarnation:I begun:Q last_begun:Q "
    "path_told:I path_mtu:H pad:H reserved:8s "
    "address:16s weight:I upper_threshold:I lower_threshold:I service:I port:H family:B method:B generation:I in_use:I "
    "key:20s removed:I last_weight:I tunnel_type:B tunnel_flags:B tunnel_port:H "
    "zero_connections:Q zero_packets:Q zero_bytes:Q kept_connections:Q kept_packets:Q kept_bytes:Q "
    "last_connections:Q last_packets:Q last_bytes:Q rate_connections:Q rate_packets:Q rate_bytes:Q "
    "zero_out_packets:Q zero_out_bytes:Q kept_out_packets:Q kept_out_bytes:Q "
    "last_out_packets:Q last_out_bytes:Q rate_out_packets:Q rate_out_bytes:Q",
    aligned={"reserved": 8},
)

SERVER_COUNT = _record("server_count", "packets:Q bytes:Q")

HANDSHAKE_CLOCK_SHIFT = handshakes.CLOCK_SHIFT
HANDSHAKE_FIRST_SHIFT = handshakes.FIRST_SHIFT
HANDSHAKE_OCTAVES = handshakes.OCTAVES
HANDSHAKES_TIMED = handshakes.TIMED
HANDSHAKES_SPACING = handshakes.SPACING

HANDSHAKES = _record(
    "handshakes",
    f"completed:Q failed:Q last_completed:Q rate_begun:Q rate_completed:Q pad:24s time:{HANDSHAKE_OCTAVES * 8}s",
    aligned={"pad": 8, "time": 8},
)

STATISTICS = _record(
    "statistics",
    "count_connections:Q count_packets:Q count_bytes:Q last_connections:Q last_packets:Q last_bytes:Q "
    "rate_connections:Q rate_packets:Q rate_bytes:Q zero_connections:Q zero_packets:Q zero_bytes:Q "
    "count_out_packets:Q count_out_bytes:Q last_out_packets:Q last_out_bytes:Q "
    "rate_out_packets:Q rate_out_bytes:Q zero_out_packets:Q zero_out_bytes:Q",
)

FLOOD = _record(
    "flood",
    "unentered:Q admitted:Q ended:Q last_unentered:Q last_admitted:Q rate_unentered:I rate_admitted:I pad:16s",
    aligned={"pad": 8},
)

FLOODING = _record("flooding", "began:Q ended:Q floods:I epoch:I left:I calm:I line:I lap:I")

BUDGET = _record(
    "budget",
    "interval:Q burst:Q source_interval:Q source_burst:Q mask4:I in_force:I mask6:16s full:Q over:Q source_over:Q "
    "rate:I period:I most:I source_rate:I source_period:I source_most:I prefix4:B prefix6:B pad:6s",
    aligned={"pad": 2},
)

SOURCE_LINE = _record("source_line", f"cell:{BUDGET_WAYS * 8}s", aligned={"cell": 8})

CONNECTION = _record(
    "connection",
    "client_port:H port:H protocol:B family:B kind:H address:32s server:I expires:I status:I control:I children:I "
    "server_port:H incarnation:H",
)

BUCKET_SIZE = CONNECTION.size * BUCKET_SLOTS
HEAD_LINE_SIZE = 64

DEVICE = _record("device", "ifindex:I wire:I tags:I flags:I mac:Q arrives:I pad:I")

VLAN_KEY = _record("vlan_key", "wire:I tags:I", align=4)

FWMARKS = _record("fwmarks", "in_force:I last:I", align=4)

FWMARK_RULE_ROW = _record(
    "fwmark_rule", "address:16s mark:I first:H last:H prefix:B protocol:B family:B state:B", align=4
)

FWMARK_PREFIX = _record("fwmark_prefix", "bits:I generation:I protocol:B family:B pad:H address:16s", align=4)

FWMARK_RUN = _record("fwmark_run", "start:I count:I", align=4)

FWMARK_RANGE = _record("fwmark_range", "first:H last:H mark:I", align=4)

LOCALITY_KEY = _record("locality_key", "epoch:I address:16s", align=4)

LOCALITY = _record("locality", "replica:8s used:I pad:I", align=4)

REPLICAS = _record("replicas", f"count:I used:I changed:I pad:I member:{MAX_REPLICAS * 8}s", align=4)

SCHEDULERS = (
    "none",
    "rr",
    "wrr",
    "lc",
    "wlc",
    "lblc",
    "lblcr",
    "dh",
    "sh",
    "sed",
    "nq",
    "fo",
    "ovf",
    "mh",
    "twos",
)
"""Schedulers by their number in the data plane."""

(
    HOP_UNKNOWN,
    HOP_RESOLVED,
    HOP_UNRESOLVED,
    HOP_NO_ROUTE,
    HOP_LOCAL,
    HOP_TUNNEL,
    HOP_NARROW,
    HOP_MASQUERADE,
) = range(8)
HOP_STATES = ("unknown", "resolved", "no neighbour yet", "no route", "this host", "resolved", "resolved", "resolved")
HOPS_RESOLVED = (HOP_RESOLVED, HOP_TUNNEL, HOP_NARROW, HOP_MASQUERADE)
