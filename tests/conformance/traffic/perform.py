#!/usr/bin/env python3
"""Play a scenario against the directrix of this checkout and print the transcript. Needs root.

perform.py SCENARIO [HOOK]: the director's interface is attached to by this hook, instead of the one `auto` chooses.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "src")]

from player import Player  # noqa: E402
from scenario import Answer, read_scenario, transcript  # noqa: E402

import directrix.cli.ipvsadm  # noqa: E402
import directrix.ipvsadm.command  # noqa: E402
import directrix.marks.words  # noqa: E402
import directrix.table.xdp.director  # noqa: E402
from directrix.cli.main import main as directrix_main  # noqa: E402
from directrix.lvs import Counters, Rates  # noqa: E402
from directrix.table.opening import open_table  # noqa: E402


def directrix(words: list[str], stdin: str = "") -> Answer:
    """`python -m directrix WORDS`, in a child of this process: starting Python anew is most of what a command costs."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin.encode())
        source.seek(0)
        if (child := os.fork()) == 0:
            for number, file in enumerate((source, out, err)):
                os.dup2(file.fileno(), number)
            status = 70
            try:
                status = directrix_main(words) or 0
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status & 255)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return Answer(status, out.read().decode(), err.read().decode())


def sysctl(words: list[str], _: str) -> Answer:
    """The same by `directrix sysctl`; of a refusal what sysctl(8) would say too."""
    answer = directrix(["sysctl", "-q", "-n", *words])
    return Answer(answer.status, answer.stdout, "Invalid argument\n" * ("Invalid argument" in answer.stderr))


def totals() -> tuple[Counters, Rates]:
    """What the table of this namespace has counted."""
    with closing(open_table(create=False)) as table:
        return table.totals()


def attach(player: Player, hook: str) -> None:
    """Attach by this hook before the scenario does by `auto`; XDP wants whole checksums from its neighbours."""
    for host in player.hosts.values():
        with host.entered():
            subprocess.run(["ethtool", "-K", "eth0", "tx", "off"], check=True, capture_output=True)
    with player.hosts["director"].entered():
        refused = directrix(["up", "-q", "--hook", hook])
    if refused.status:
        raise SystemExit(refused.stderr)


def main() -> None:
    player = Player(
        totals,
        sys.executable,
        ipvsadm=lambda words, stdin: directrix(["ipvsadm", *words], stdin),
        mark=lambda words, stdin: directrix(["mark", *words], stdin),
        sysctl=sysctl,
    )
    try:
        if sys.argv[2:]:
            attach(player, sys.argv[2])
        print(transcript(read_scenario(Path(sys.argv[1])), player.execute), end="")
    finally:
        player.close()
        with player.hosts["director"].entered():
            directrix(["down", "-q"])


if __name__ == "__main__":
    main()
