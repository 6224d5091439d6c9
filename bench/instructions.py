"""Instructions a packet costs on a stock Debian kernel, IPVS beside directrix.

QEMU runs the kernel without hardware virtualisation and lets a nanosecond pass for every
instruction (`-icount shift=0`), so the guest's clock counts instructions: the same figures on any
machine, busy or not. What is run in the guest is guest/suite.sh.

Instructions are not time: a cache miss counts as much as an addition. They tell how much work a
change adds or saves, and compare like with like.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import profile
from bench.report import OUT, Figure, publish

ESTABLISHED = 640
NEW = 1570
NOT_OURS = 60
TUNNEL = 800
MASQUERADE = 800
WLC_1000 = 8450
SED_1000 = 7800
"""A third of what IPVS needs with a thousand real servers."""
GOALS = {
    "directrix_established_1": ESTABLISHED,
    "directrix_established_1k": ESTABLISHED,
    "directrix_established_16k": ESTABLISHED,
    "directrix_established_after_trace": ESTABLISHED,
    "directrix_established_flooded": ESTABLISHED,
    "directrix_syn_flooded": NEW,
    "directrix_syn": NEW,
    "directrix_syn_16k": NEW,
    "directrix_ipip_established": TUNNEL,
    "directrix_nat_established": MASQUERADE,
    "directrix_nat_reply": MASQUERADE,
    "directrix_not_ours_port": NOT_OURS,
    "directrix_not_ours_address": NOT_OURS,
    "directrix_syn_wlc_1000": WLC_1000,
    "directrix_syn_sed_1000": SED_1000,
}
SECTIONS = ("reference", "directrix", "ipvs", "schedulers")
CLOCK_TRUE = (49_000_000, 52_000_000)
"""What fifty million instructions may take, in ns, when time counts instructions."""


class BadRun(Exception):
    """The guest did not do what it should; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the guest: `cost` is the median over batches of packets, `mean` has timer ticks in it."""

    name: str
    base: str
    cost: float
    mean: float
    sent: int
    delivered: int
    to: str

    @property
    def lost(self) -> bool:
        """Whether some packets arrived and others did not."""
        return 0 < self.delivered < self.sent


def parse(lines: Iterable[str]) -> list[Result]:
    """The results in what the guest said.

    Raises:
        BadRun: something failed there, it ended early, or its clock does not count instructions.
    """
    results = []
    failures = []
    clock, done = 0, False
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "RESULT":
            values = dict(pair.split("=", 1) for pair in rest.split())
            results.append(
                Result(
                    values["name"],
                    values["base"],
                    float(values["cost"]),
                    float(values.get("mean", values["cost"])),
                    int(values.get("sent", 0)),
                    int(values.get("delivered", 0)),
                    values.get("to", "-"),
                )
            )
        elif word == "CLOCK":
            clock = int(rest)
        elif word == "DONE":
            done = True
        elif word in ("FAILED", "directrix:", "measure:"):
            failures.append(line.strip())
    if failures:
        raise BadRun("\n".join(failures))
    if not done:
        raise BadRun("the guest ended before its time")
    if not CLOCK_TRUE[0] <= clock <= CLOCK_TRUE[1]:
        raise BadRun(f"the guest's clock does not count instructions ({clock:,} for 50,000,000)")
    return results


def figures(results: Sequence[Result]) -> list[Figure]:
    """What each costs above its base; a base itself as it is."""
    costs = {result.name: result.cost for result in results}
    found = []
    for result in results:
        if result.name == "warm":
            continue
        base = costs.get(result.base)
        seconds = not result.sent
        note = f"above {result.base}" if base is not None else ""
        if result.lost:
            note += f"  LOST: {result.sent - result.delivered} of {result.sent}"
        value = result.cost - (base or 0)
        unit = "instr/s" if seconds else "instr/packet"
        found.append(Figure(result.name, value, unit, GOALS.get(result.name), note.strip()))
    return found


def _qemu(sections: Sequence[str], profiled: bool) -> list[str]:
    words = ["console=ttyS0", "panic=-1", "quiet", "nokaslr", "init_on_alloc=0"]
    # The unrolled copies, not `rep movs`, of which every repetition would count.
    words += ["clearcpuid=112", f"bench.sections={','.join(sections)}", f"bench.profile={int(profiled)}"]
    command = ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-seed", "1", "-smp", "1"]
    command += ["-rtc", "base=2024-01-01T00:00:00,clock=vm", "-cpu", "max,-erms,-fsrm", "-m", "1536", "-nodefaults"]
    command += ["-nographic", "-no-reboot", "-serial", "stdio", "-kernel", f"{OUT}/vmlinuz"]
    command += ["-initrd", f"{OUT}/initramfs.cpio", "-append", " ".join(words)]
    if profiled:
        symbols = OUT / "kallsyms.img"
        symbols.write_bytes(bytes(24 << 20))
        command += ["-drive", f"file={symbols},format=raw,if=virtio"]
        command += ["-plugin", f"{OUT}/profiler.so,out={OUT}/profile.out"]
    return command


def measure(sections: Sequence[str] = SECTIONS, *, profiled: bool = False) -> list[Result]:
    """Build the guest, boot it, and give back what it measured.

    Raises:
        BadRun: it went wrong.
        subprocess.CalledProcessError: the guest can't be built.
    """
    subprocess.run([Path(__file__).with_name("build-guest")], check=True)
    lines = []
    with subprocess.Popen(
        _qemu(sections, profiled), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as guest:
        assert guest.stdout is not None
        for line in guest.stdout:
            lines.append(line)
            if line.startswith(("RESULT", "FAILED", "directrix:")):
                print(line.rstrip(), file=sys.stderr, flush=True)
    (OUT / "console.log").write_text("".join(lines))
    return parse(lines)


def main(words: Sequence[str]) -> int:
    """Run; 0 if every goal is met, 1 if not or if the run went wrong."""
    parser = argparse.ArgumentParser(prog="scripts/bench instructions", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", metavar="SECTION,…", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--profile", action="store_true", help="also write build/bench/profile.txt: by kernel function")
    options = parser.parse_args(words)
    sections = options.only.split(",")
    if unknown := [section for section in sections if section not in SECTIONS]:
        parser.error(f"there is no section {unknown[0]!r}: {', '.join(SECTIONS)}")
    if shutil.which("qemu-system-x86_64") is None:
        print("bench: qemu-system-x86_64 is missing (scripts/setup all)", file=sys.stderr)
        return 1
    try:
        results = measure(sections, profiled=options.profile)
    except BadRun as error:
        print(f"bench: {error}\nbench: all that the guest said: build/bench/console.log", file=sys.stderr)
        return 1
    kernel = (OUT / "vmlinuz").resolve().name.removeprefix("vmlinuz-")
    if options.profile:
        names = [(result.name, result.sent) for result in results if result.sent]
        (OUT / "profile.txt").write_text(profile.report(OUT / "profile.out", OUT / "kallsyms.img", names))
        print("build/bench/profile.txt", file=sys.stderr)
    heading = f"Instructions a packet, Linux {kernel}, native XDP on veth"
    met = publish("instructions", heading, figures(results))
    return 0 if met and not any(result.lost for result in results) else 1
