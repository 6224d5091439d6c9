"""The programs keep their distance from what the kernel's verifier takes: its work, and the depth of the stack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from data_plane import DataPlane
from elf import Elf
from stack import MOST_BYTES, MOST_FRAMES, Function, deepest, functions, longest

from directrix.table.xdp import libbpf
from directrix.table.xdp.host import OBJECT, TRACE_OBJECT

MOST_WORK = 600_000
"""Instructions the verifier may look at in a program. The limit is a million, and kernels count differently."""

PROGRAMS = sorted(
    symbol.name
    for symbol in Elf(OBJECT).symbols
    if symbol.is_function and Elf(OBJECT).sections[symbol.section].name != ".text"
)


@pytest.fixture(scope="module", params=[OBJECT, TRACE_OBJECT], ids=lambda path: path.name)
def code(request: pytest.FixtureRequest) -> dict[str, Function]:
    return functions(request.param)


@pytest.mark.root
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_verifier_is_through_with_a_program_long_before_its_limit(plane: DataPlane, program: str) -> None:
    looked_at = libbpf.verified_instructions(plane.programs.program(program))
    assert 0 < looked_at < MOST_WORK


def test_no_chain_of_calls_needs_more_stack_than_there_is(code: dict[str, Function]) -> None:
    timers = {started for function in code.values() for started in function.starts}
    chains = [deepest(code, start) for start in (*PROGRAMS, *sorted(timers))]
    assert [str(chain) for chain in chains if chain.depth > MOST_BYTES] == []


def test_no_chain_of_calls_has_more_frames_than_may_be(code: dict[str, Function]) -> None:
    chains = [longest(code, start) for start in PROGRAMS]
    assert [str(chain) for chain in chains if len(chain.functions) > MOST_FRAMES] == []


_KNOWN = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct bpf_timer);
} map SEC(".maps");

static long look_on(__u32 i, void *context)
{
	volatile char room[40];

	room[i & 31] = 1;
	return 0;
}

static int later(void *map, int *key, struct bpf_timer *timer)
{
	volatile char room[300] = {};

	return room[*key & 255];
}

__noinline int inner(int i)
{
	volatile char room[100] = {};

	return room[i & 63];
}

__noinline int outer(int i)
{
	volatile char room[60] = {};

	return inner(i) + room[i & 31];
}

SEC("tc") int program(struct __sk_buff *skb)
{
	struct bpf_timer *timer;
	int key = 0;

	bpf_loop(5, look_on, 0, 0);
	timer = bpf_map_lookup_elem(&map, &key);
	if (timer)
		bpf_timer_set_callback(timer, later);
	return outer(skb->len);
}
"""


def test_chains_are_read_from_an_object_as_the_kernel_walks_them(tmp_path: Path) -> None:
    target = tmp_path / "known.o"
    system = f"/usr/include/{os.uname().machine}-linux-gnu"
    command = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-I", system, "-xc", "-c", "-", "-o", target]
    subprocess.run(command, input=_KNOWN, text=True, check=True)
    code = functions(target)
    assert {name: one.frame for name, one in code.items()} == {
        "program": 32, "outer": 64, "inner": 128, "look_on": 64, "later": 320,
    }  # fmt: skip
    assert code["program"].calls == {"outer", "look_on"}
    assert code["program"].starts == {"later"}
    assert str(deepest(code, "program")) == "program (32) -> outer (64) -> inner (128): 224 bytes"
    assert len(longest(code, "program").functions) == 3
