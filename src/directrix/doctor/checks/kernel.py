"""Whether this machine can carry directrix's table at all, and at full speed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from directrix.doctor.case import Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, fail, ok, skip, warn

_BTF = Path("/sys/kernel/btf/vmlinux")
_JIT = "net.core.bpf_jit_enable"


def look(case: Case) -> Iterator[Finding]:
    """Kernel, BTF and the compiler of BPF programs."""
    machine = f"Linux {os.uname().release}"
    if case.make == "ipvs":
        yield ok(machine, "the table chosen is the kernel's own IPVS, which is there")
        return
    if case.trouble:
        yield fail(machine, f"no table can be had here: {case.trouble}")
        return
    yield ok(machine, "it can carry directrix's table" + ("" if _BTF.exists() else ", without type information (BTF)"))
    jit = case.host.sysctl(_JIT)
    if jit is None:
        yield skip(_JIT, "the kernel does not say whether it compiles BPF programs")
    elif jit == "0":
        yield warn(
            f"{_JIT} is 0",
            "BPF programs are interpreted, which costs several times as much a packet",
            [Remedy(f"sysctl -w {_JIT}=1", safe=True)],
        )
    else:
        yield ok(f"{_JIT} is {jit}", "BPF programs are compiled")


CHECK = Check(
    "kernel",
    "the kernel and what BPF needs of it",
    "The data plane is made of BPF programs; without what they need nothing is forwarded, or slowly.",
    frozenset({Role.DIRECTOR}),
    look,
)
