"""C and Python mean the same: every struct, offset, size, number and table they share.

What C says is read from the BTF and the read-only data of the compiled object, by `bpftool` and `elf.py`;
constants of the preprocessor leave no BTF and are read from the headers.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elf import Elf

from directrix.lvs import sctp, tcp
from directrix.lvs.direction import Direction
from directrix.lvs.sctp import SctpChunk, SctpEvent, SctpState
from directrix.lvs.tcp import TcpEvent, TcpFlags, TcpState
from directrix.table.xdp import keys, layout, verdicts

ROOT = Path(__file__).parents[3]
OBJECT = ROOT / "src/directrix/table/xdp/directrix.bpf.o"
HEADERS = ROOT / "bpf"
ELF = Elf(OBJECT)


class Btf:
    """The types of the object, by number and by name."""

    def __init__(self, file: Path) -> None:
        dump = subprocess.run(
            ["bpftool", "btf", "dump", "-j", "file", file], capture_output=True, text=True, check=True
        )
        self.types: dict[int, dict[str, Any]] = {entry["id"]: entry for entry in json.loads(dump.stdout)["types"]}

    def named(self, name: str, kind: str) -> dict[str, Any]:
        (found,) = (entry for entry in self.types.values() if entry["name"] == name and entry["kind"] == kind)
        return found

    def size(self, number: int) -> int:
        entry = self.types[number]
        if entry["kind"] == "ARRAY":
            return int(entry["nr_elems"]) * self.size(entry["type_id"])
        if "size" in entry:
            return int(entry["size"])
        return 8 if entry["kind"] == "PTR" else self.size(entry["type_id"])

    def fields(self, name: str) -> dict[str, tuple[int, int]]:
        """Offset and size of each field; of a union without a name it is known by its first."""
        return {
            (member["name"] if member["name"] != "(anon)" else self.types[member["type_id"]]["members"][0]["name"]): (
                member["bits_offset"] // 8,
                self.size(member["type_id"]),
            )
            for member in self.named(name, "STRUCT")["members"]
        }

    def enum(self, name: str) -> dict[str, int]:
        return {value["name"]: value["val"] for value in self.named(name, "ENUM")["values"]}

    def constants(self) -> dict[str, int]:
        """The values of all enumerations."""
        return {
            value["name"]: value["val"]
            for entry in self.types.values()
            if entry["kind"] == "ENUM"
            for value in entry["values"]
        }


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf(OBJECT)


_SET = """
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "table.h"
struct server_set server_set;
"""


@pytest.fixture(scope="module")
def set_btf(tmp_path_factory: pytest.TempPathFactory) -> Btf:
    """The types a set is made of: it is only pointed at, which leaves no BTF in the object."""
    target = tmp_path_factory.mktemp("layout") / "set.o"
    system = f"/usr/include/{os.uname().machine}-linux-gnu"
    command = ["clang", "-g", "-O2", "-target", "bpf", "-I", HEADERS, "-I", system, "-xc", "-c", "-", "-o", target]
    subprocess.run(command, input=_SET, text=True, check=True)
    return Btf(target)


def defines() -> dict[str, int]:
    """The numbers that the headers define."""
    found = {}
    for header in HEADERS.glob("*.h"):
        for name, text in re.findall(r"^#define (\w+)[ \t]+(0x[0-9a-fA-F]+|\d+)(?:U|ULL)?\b", header.read_text(), re.M):
            found[name] = int(text, 0)
    return found


RECORDS = [value for value in vars(layout).values() if isinstance(value, layout.Record)]


def test_every_record_of_python_is_known_here() -> None:
    assert {record.name for record in RECORDS} == {
        "service_key", "parameters", "front", "service", "server_set", "set_entry", "hop", "server", "server_count",
        "statistics", "connection", "device", "vlan_key", "summary", "locality_key", "locality", "replicas",
        "fwmarks", "fwmark_rule", "fwmark_prefix", "fwmark_run", "fwmark_range",
        "sysctls", "defence", "handshakes", "flood", "flooding", "budget", "source_line",
    }  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
def test_a_record_has_the_fields_offsets_and_size_of_its_struct(btf: Btf, set_btf: Btf, record: layout.Record) -> None:
    types = set_btf if record is layout.SERVER_SET else btf
    wanted = types.fields(record.name)
    ours = {name: (offset, struct.calcsize("=" + record.formats[name])) for name, offset in record.offsets.items()}
    if record.name == "connection":
        # Python takes the id apart: client port, virtual port, protocol, family, kind
        parts = [ours.pop(name) for name in ("client_port", "port", "protocol", "family", "kind")]
        assert parts == [(0, 2), (2, 2), (4, 1), (5, 1), (6, 2)]
        ours = {"id": (0, 8), **ours}
    assert ours == wanted
    assert record.size == record.whole.size == types.named(record.name, "STRUCT")["size"]


@pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
def test_a_whole_record_unpacks_into_its_fields(record: layout.Record) -> None:
    data = bytes(range(256)) * (record.size // 256 + 1)
    whole = record.whole.unpack_from(data)
    for name, place in record.places.items():
        (alone,) = struct.unpack_from("=" + record.formats[name], data, record.offsets[name])
        assert whole[place] == alone


def test_arrays_of_records_have_their_sizes(btf: Btf, set_btf: Btf) -> None:
    assert btf.named("bucket", "STRUCT")["size"] == layout.BUCKET_SIZE
    assert btf.named("head_line", "STRUCT")["size"] == layout.HEAD_LINE_SIZE
    assert btf.named("set_unit", "STRUCT")["size"] == layout.SET_UNIT_SIZE
    assert set_btf.named("server_set", "STRUCT")["size"] == layout.SET_UNIT_SIZE
    assert layout.SET_ENTRY.size * layout.SET_UNIT_ENTRIES == layout.SET_UNIT_SIZE


@pytest.mark.parametrize("name", ["SERVICE", "HOP", "SERVER", "SERVER_COUNT", "STATISTICS", "DEVICE"])
def test_records_that_lie_in_arrays_lie_as_close_as_the_kernel_lays_them(name: str) -> None:
    assert getattr(layout, name).size % 8 == 0


def test_what_a_new_connection_asks_of_the_guards_is_one_load() -> None:
    assert layout.FRONT.offsets["guards"] % 8 == 0
    assert layout.FRONT.offsets["flood"] == layout.FRONT.offsets["guards"] + 4


def test_a_connection_is_one_cache_line_and_no_more_than_the_memory_promised(btf: Btf) -> None:
    assert layout.CONNECTION.size in (64, 72)
    assert layout.CONNECTION.size * 1.6 + 8 / layout.BUCKET_SLOTS * 1.6 <= 200


def test_what_connections_change_does_not_share_a_cache_line_with_anything_else() -> None:
    assert layout.SERVER.offsets["active"] == 0
    assert layout.SERVER.offsets["address"] == 64
    assert layout.SERVER.size % 64 == 0 or layout.SERVER.size % 8 == 0
    assert layout.HOP.size == 64


@pytest.mark.parametrize(
    "name",
    [
        "LAYOUT_VERSION", "BUCKET_SLOTS", "HEADS_IN_LINE", "SET_UNIT_ENTRIES", "INDEX_SIZE", "MAX_CPUS",
        "MAX_SERVICES", "MAX_SERVERS", "MAX_SET_UNITS", "MAX_DEVICES", "VERDICTS", "STATES", "CURSOR_AT_HEAD",
        "SLOT_CLAIMED", "STATE_MASK", "STATE_COUNTED", "TODROP_MOST", "INDEX_PRIME", "INDEX_SHIFT", "MARK_SHIFT",
        "INDEX_GHOST", "ADDRESS_MARKS", "TICK_SHIFT", "ALL_SERVERS",
        "MAX_FWMARK_RULES", "MAX_FWMARK_PREFIXES", "MAX_FWMARK_RANGES", "FWMARK_HEAD_BITS",
        "SKETCH_BITS", "BUDGET_SHIFT", "BUDGET_WAYS", "BUDGET_LINE_BITS",
    ],
)  # fmt: skip
def test_a_number_that_headers_define_is_pythons(name: str) -> None:
    assert getattr(layout, name) == defines()[name]


def test_the_state_of_udp_is_pythons() -> None:
    assert defines()["UDP_S_NORMAL"] == layout.UDP_STATE
    assert layout.UDP_STATE not in set(TcpState)


@pytest.mark.parametrize(
    "name",
    [
        "SERVICE_PERSISTENT", "SERVICE_ONE_PACKET", "SERVER_AVAILABLE", "SERVER_LOCAL", "SERVER_TUNNEL", "SERVER_IPIP4",
        "DEVICE_REDIRECT", "CONNECTION_ACTIVE", "CONNECTION_TEMPLATE", "CONNECTION_ASSURED", "CONNECTION_DEAD",
        "CONNECTION_PACKET", "HOP_UNKNOWN", "HOP_RESOLVED", "HOP_UNRESOLVED", "HOP_NO_ROUTE", "HOP_LOCAL",
        "HOP_TUNNEL",
        "FWMARK_RULE", "FWMARK_GHOST", "GUARD_DROP_PACKET", "GUARD_BUDGETS", "FLOOD_OFF", "FLOOD_ENDING", "FLOOD_ON",
    ],
)  # fmt: skip
def test_a_number_of_an_enumeration_is_pythons(name: str) -> None:
    text = (HEADERS / "table.h").read_text()
    (body,) = (body for body in re.findall(r"enum \w+ \{(.*?)\}", text, re.S) if re.search(rf"\b{name}\b", body))
    value = -1
    for entry in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(","):
        word, _, number = entry.partition("=")
        value = int(number, 0) if number else value + 1
        if word.strip() == name:
            break
    assert getattr(layout, name) == value


def test_every_state_of_a_hop_has_its_words() -> None:
    assert len(layout.HOP_STATES) == layout.HOP_MASQUERADE + 1


def test_verdicts_are_the_same_in_the_same_order(btf: Btf) -> None:
    numbers = btf.enum("verdict")
    assert numbers.pop("VERDICT_LAST") == len(verdicts.VERDICTS) <= layout.VERDICTS
    assert [name.lower() for name in sorted(numbers, key=numbers.__getitem__)] == [v.name for v in verdicts.VERDICTS]


def test_the_fate_of_a_verdict_is_what_the_hooks_do_with_it(btf: Btf) -> None:
    numbers = btf.enum("verdict")
    for verdict in verdicts.VERDICTS:
        number = numbers[verdict.name.upper()]
        if number <= numbers["HANDED_UP"]:
            assert verdict.fate == "passed"
        elif number < numbers["NO_SERVER"]:
            assert verdict.fate == "forwarded"
        else:
            assert verdict.fate == "dropped"
        assert verdict.meaning


def test_schedulers_are_the_same_in_the_same_order() -> None:
    text = (HEADERS / "schedulers/scheduler.h").read_text()
    (body,) = re.findall(r"enum scheduler \{(.*?)\}", text, re.S)
    names = [name.strip().removeprefix("SCHEDULER_").lower() for name in body.split(",") if name.strip()]
    assert names == [*layout.SCHEDULERS, "last"]


def test_tcp_states_have_the_same_numbers() -> None:
    (body,) = re.findall(r"enum tcp_state \{(.*?)\}", (HEADERS / "table.h").read_text(), re.S)
    names = [name.strip().removeprefix("TCP_S_") for name in body.split(",") if name.strip()]
    assert names == [*(state.name for state in TcpState), "LAST"]
    assert list(TcpState) == list(range(len(TcpState)))


def directions() -> list[Direction]:
    """The directions in the order of their numbers in the data plane."""
    (body,) = re.findall(r"enum direction \{(.*?)\}", (HEADERS / "direction.h").read_text(), re.S)
    return [Direction[name] for name in re.findall(r"^\t(\w+),", body, re.M)]


SAYING = {
    TcpEvent.SYN: TcpFlags.SYN,
    TcpEvent.FIN: TcpFlags.FIN,
    TcpEvent.ACK: TcpFlags.ACK,
    TcpEvent.RST: TcpFlags.RST,
    TcpEvent.NONE: TcpFlags.NONE,
}
"""Flags of a packet that says so."""


def test_tcp_events_have_the_same_numbers() -> None:
    (body,) = re.findall(r"enum tcp_event \{(.*?)\}", (HEADERS / "tcp.h").read_text(), re.S)
    names = [name.strip().removeprefix("EVENT_") for name in body.split(",") if name.strip()]
    assert names == [*(event.name for event in TcpEvent), "EVENTS"]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("direction", Direction)
def test_the_tables_of_tcp_transitions_are_the_same(direction: Direction, secure: bool) -> None:
    tables = ELF.symbol("tcp_next", ".rodata")
    assert len(tables) == 4 * 2 * 8 * 16
    table = tables[(directions().index(direction) * 2 + secure) * 8 * 16 :]
    for event, flags in SAYING.items():
        row = table[event * 16 : event * 16 + len(TcpState)]
        assert list(row) == [tcp.next_state(state, flags, direction, secure=secure) for state in TcpState], event


def test_the_states_that_count_as_active_are_the_same() -> None:
    (text,) = re.findall(r"#define TCP_ACTIVE_STATES \((.*)\)", (HEADERS / "tcp.h").read_text())
    names = set(re.findall(r"1 << TCP_S_(\w+)", text))
    assert names == {state.name for state in tcp.ACTIVE}


def test_sctp_states_have_the_same_numbers_behind_those_of_tcp_and_udp() -> None:
    (body,) = re.findall(r"enum sctp_state \{(.*?)\}", (HEADERS / "table.h").read_text(), re.S)
    names = [name.strip().removeprefix("SCTP_S_") for name in body.split(",") if name.strip()]
    assert names == [f"NONE = {layout.SCTP_STATES}", *(state.name for state in SctpState if state), "LAST"]
    assert list(SctpState) == list(range(len(SctpState)))
    assert max(layout.UDP_STATE, *TcpState) < layout.SCTP_STATES <= layout.STATES - len(SctpState)


def test_types_of_chunks_and_their_events_are_the_same() -> None:
    text = (HEADERS / "sctp.h").read_text()
    enums = (("sctp_chunk_type", "SCTP_CHUNK_", SctpChunk), ("sctp_event", "SCTP_EVENT_", SctpEvent))
    for enum, prefix, known in enums:
        (body,) = re.findall(rf"enum {enum} \{{(.*?)\}}", text, re.S)
        names = [word.strip() for word in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(",") if word.strip()]
        assert names[: len(known)] == [prefix + member.name for member in known]
    events = ELF.symbol("sctp_event_of", ".rodata")
    assert list(events) == [sctp.event(kind) for kind in range(defines()["SCTP_CHUNK_TYPES"])]


@pytest.mark.parametrize("direction", Direction)
def test_the_tables_of_sctp_transitions_are_the_same(direction: Direction) -> None:
    tables = ELF.symbol("sctp_next", ".rodata")
    assert len(tables) == 4 * 16 * 16
    table = tables[directions().index(direction) * 16 * 16 :]
    for event in SctpEvent:
        row = table[event * 16 : event * 16 + len(SctpState)]
        wanted = [sctp.next_state(state, event, direction) for state in SctpState]
        assert [SctpState(value - layout.SCTP_STATES) for value in row] == wanted, event
    seen = table[len(SctpEvent) * 16 :][: len(SctpState)]
    assert [value - layout.SCTP_STATES for value in seen] == list(SctpState)


@pytest.mark.parametrize("name", ["front", "parameters"])
def test_global_data_lie_at_the_start_of_their_maps(name: str, btf: Btf) -> None:
    section_name = {"front": ".data.front", "parameters": ".rodata.parameters"}[name]
    entry = btf.named(section_name, "DATASEC")
    (variable,) = entry["vars"]
    assert variable["offset"] == 0
    assert variable["size"] == btf.named(name, "STRUCT")["size"]


def test_a_service_key_goes_to_bytes_and_back() -> None:
    from data_plane import DNS6, HTTP

    for key in (HTTP, DNS6):
        assert keys.key_from(keys.key_bytes(key)) == key
