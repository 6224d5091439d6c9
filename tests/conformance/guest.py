"""What the parts that run inside the conformance machine have in common; `init.py` calls them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
MODULES = ("ip_vs", "ip_vs_pe_sip", *(f"ip_vs_{name}" for name in SCHEDULERS))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def isolate() -> None:
    """Enter fresh network and mount namespaces, and with them an IPVS that nobody has touched."""
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env=ENVIRONMENT)


def scenarios() -> Path:
    """The directory of the scenarios to play."""
    return Path(os.environ["CONFORMANCE_SCENARIOS"])


def load(*modules: str) -> None:
    """Load modules of the machine's kernel; `init.py` says where they are."""
    subprocess.run(["modprobe", "-d", "/run/root", "-a", *modules], check=True, env=ENVIRONMENT)


def play_each(
    play: Callable[[Path], str],
    output: Path,
    *,
    order: Iterable[Path] | None = None,
    at_once: Callable[[Path], int] = lambda path: 1,
) -> None:
    """Play every scenario in a process of its own, and write down its transcript, or why there is none.

    `at_once` says how many may be playing while this one does.
    """
    playing: set[int] = set()
    for path in sorted(scenarios().glob("*.txt")) if order is None else order:
        while len(playing) >= at_once(path):
            playing.discard(os.wait()[0])
        if process := os.fork():
            playing.add(process)
            continue
        try:
            text = play(path)
            (output / path.name).write_text(text)
        except BaseException:
            (output / f"{path.name}.error").write_text(traceback.format_exc())
        finally:
            os._exit(0)
    for process in playing:
        os.waitpid(process, 0)
