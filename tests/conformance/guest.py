#!/usr/bin/env python3
"""The inside of the conformance machine: runs as init of a User Mode Linux with the real IPVS.

Every scenario gets a network namespace and a mount namespace of its own, so that it starts with
an empty table, and its transcript goes into the directory named by CONFORMANCE_OUTPUT. The root
file system is the host's, mounted read-only; whatever must be written to lies under a tmpfs.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import traceback
from pathlib import Path

from scenario import HERE, SCENARIOS, Answer, Step, read_scenario, transcript

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
REBOOT_POWER_OFF = 0x4321FEDC

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
MODULES = ("ip_vs", "ip_vs_pe_sip", *(f"ip_vs_{name}" for name in SCHEDULERS))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def prepare() -> Path:
    """Mount what is needed and load IPVS; returns the directory for the transcripts."""
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("tmpfs", "/run", "tmpfs")
    output = Path("/run/output")
    output.mkdir()
    mount("none", str(output), "hostfs", 0, os.environ["CONFORMANCE_OUTPUT"])
    # Names must come from our files alone, whatever the host's say.
    Path("/run/nsswitch.conf").write_text("hosts: files\nservices: files\n")
    mount("/run/nsswitch.conf", "/etc/nsswitch.conf", "", MS_BIND)
    mount(str(HERE / "hosts"), "/etc/hosts", "", MS_BIND)
    mount(str(HERE / "services"), "/etc/services", "", MS_BIND)
    # The kernel's own calls for a scheduler's module find nothing on the host, so load all.
    Path("/run/root/lib").mkdir(parents=True)
    Path("/run/root/lib/modules").symlink_to("/usr/lib/uml/modules")
    subprocess.run(["modprobe", "-d", "/run/root", "-a", *MODULES], check=True, env=ENVIRONMENT)
    return output


def isolate() -> None:
    """Enter fresh network and mount namespaces."""
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env=ENVIRONMENT)


def show_connections(text: str) -> None:
    """Give ipvsadm this connection list: it reads the file and does not ask how it came there."""
    mount("tmpfs", "/proc", "tmpfs")
    Path("/proc/net").mkdir()
    Path("/proc/net/ip_vs_conn").write_text(
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n" + text
    )


def execute(step: Step) -> Answer:
    if step.words[0] == "connections":
        show_connections(step.stdin)
        return Answer(0, "", "")
    done = subprocess.run(step.words, input=step.stdin.encode(), capture_output=True, env=ENVIRONMENT)
    # As a shell shows it: -1 is 255.
    return Answer(done.returncode & 255, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def run_scenario(path: Path, output: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            isolate()
            (output / path.name).write_text(transcript(read_scenario(path), execute))
        except BaseException:
            (output / f"{path.name}.error").write_text(traceback.format_exc())
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    output = prepare()
    for path in sorted(Path(os.environ.get("CONFORMANCE_SCENARIOS", SCENARIOS)).glob("*.txt")):
        run_scenario(path, output)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os.sync()
        LIBC.reboot(REBOOT_POWER_OFF)
