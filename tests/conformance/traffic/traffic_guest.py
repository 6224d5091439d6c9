#!/usr/bin/env python3
"""Inside the conformance machine: plays the traffic scenarios against the real IPVS and ipvsadm, as init.

Several at a time: most of a scenario's life is waiting. Each has a cluster of its own, and with
its director an IPVS of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from guest import ENVIRONMENT, LIBC, REBOOT_POWER_OFF, prepare  # noqa: E402
from listings import CONNECTIONS, TITLES, settled  # noqa: E402
from player import Player  # noqa: E402
from scenario import Answer, read_scenario, transcript  # noqa: E402
from waiting import longest_first  # noqa: E402

AT_ONCE = 8


def ipvsadm(words: list[str], stdin: str) -> Answer:
    """The real one.

    IPVS lists connections by walking those of all namespaces, counting; if others come and go
    meanwhile, it shows some twice or not at all. So a list is asked for until it comes twice
    alike, with nothing in it twice.
    """
    done, before = _run(words, stdin), ""
    while done.stdout.startswith(CONNECTIONS) and (settled(done.stdout) != before or _has_repeats(done.stdout)):
        before = settled(done.stdout)
        done = _run(words, stdin)
    return Answer(done.returncode, done.stdout, done.stderr)


def _has_repeats(listing: str) -> bool:
    entries = [(protocol, *ends) for protocol, _, _, *ends in map(str.split, listing.splitlines()[TITLES:])]
    # Templates that became invalid may well be alike.
    valid = [entry for entry in entries if not entry[-1].endswith(":65535")]
    return len(valid) != len(set(valid))


def _run(words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ipvsadm", *words], input=stdin, capture_output=True, text=True, env=ENVIRONMENT)


def sysctl(words: list[str], _: str) -> Answer:
    """The kernel's own, of the namespace this process is in."""
    shown = ""
    for word in words:
        name, equals, value = word.partition("=")
        file = Path("/proc/sys/net/ipv4/vs", name)
        try:
            if equals:
                file.write_text(f"{value}\n")
            else:
                shown += file.read_text()
        except OSError as error:
            return Answer(1, "", f"{error.strerror}\n")
    return Answer(0, shown, "")


def play(path: Path, output: Path) -> None:
    """Play a scenario and write its transcript, or why there is none."""
    try:
        player = Player(ipvsadm=ipvsadm, sysctl=sysctl)
        try:
            (output / path.name).write_text(transcript(read_scenario(path), player.execute))
        finally:
            player.close()
    except BaseException:
        (output / f"{path.name}.error").write_text(traceback.format_exc())


def main() -> None:
    output = prepare()
    subprocess.run(["modprobe", "-d", "/run/root", "-a", "veth", "bridge"], check=True, env=ENVIRONMENT)
    playing: set[int] = set()
    for path in longest_first(Path(os.environ["CONFORMANCE_SCENARIOS"])):
        if len(playing) == AT_ONCE:
            playing.discard(os.wait()[0])
        if process := os.fork():
            playing.add(process)
        else:
            play(path, output)
            os._exit(0)
    for process in playing:
        os.waitpid(process, 0)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os.sync()
        LIBC.reboot(REBOOT_POWER_OFF)
