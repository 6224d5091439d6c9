"""`directrix top` in a real terminal, over a real table."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hosts import VIP, Cluster, Host, service, until
from web import Directing

pytestmark = pytest.mark.root

LEAVES = b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A pseudo-terminal with `directrix top` in it."""

    def __init__(self, host: Host, lines: int, columns: int) -> None:
        self._master, self._slave = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(self._slave)
        ends = {"stdin": self._slave, "stdout": self._slave, "stderr": self._slave}
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
        self.process = host.start(sys.executable, "-m", "directrix", "top", "-d", "0.3", **ends, env=environment)
        self.seen = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self) -> None:
        while select.select([self._master], [], [], 0.05)[0]:
            self.seen += os.read(self._master, 65536)

    def shown(self) -> list[str]:
        """The lines of the last whole frame."""
        self.read()
        frames = self.seen.decode(errors="replace").split("\x1b[H")[1:]
        whole = [frame for frame in frames if "\x1b[J" in frame]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole[-1]).split("\r\n") if whole else []

    def wait_for(self, text: str) -> None:
        until(f"{text!r} on the screen", lambda: any(text in line for line in self.shown()), 30)

    def settings(self) -> object:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@contextmanager
def top(host: Host, lines: int = 24, columns: int = 80) -> Iterator[Terminal]:
    made = Terminal(host, lines, columns)
    try:
        yield made
    finally:
        made.close()


def test_it_is_watched_resized_used_and_left_as_it_was(one: Cluster) -> None:
    director = one["director"]
    director.up()
    director.restore(service().replace("10.0.0.11:80 -g -w 1", "10.0.0.11:80 -g -w 7"))
    with top(director) as terminal:
        terminal.wait_for(f"- TCP {VIP}:80")
        assert len(terminal.shown()) == 24
        assert max(map(len, terminal.shown())) <= 80

        terminal.resize(10, 120)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        until("the new size is used", lambda: len(terminal.shown()) == 10)

        terminal.type(f"/{VIP}\r")
        terminal.wait_for(f"filter: {VIP}")
        terminal.type("\x1b[B")
        terminal.type("z")
        terminal.wait_for("no new connections, weight 0? (y/n)")
        name = next(line.split()[1] for line in terminal.shown() if line.startswith("quiesce")).rstrip(":")
        weights = listed(director)
        terminal.type("y")
        terminal.wait_for("is quiesced")
        assert listed(director)[name] == 0
        terminal.type("w")
        terminal.wait_for("back with the weight it had? (y/n)")
        terminal.type("y")
        terminal.wait_for("is back")
        assert listed(director) == weights

        terminal.type("q")
        assert terminal.process.wait(10) == 0
        terminal.read()
        assert terminal.seen.endswith(LEAVES)
        assert terminal.settings() == terminal.before


def test_it_stays_live_beside_a_director_that_is_stuck(one: Cluster, tmp_path: Path) -> None:
    here = one["director"]
    here.up()
    server = "real_server 10.0.0.11 80 { }"
    director = Directing(here, tmp_path, f"virtual_server {VIP} 80 {{ lvs_sched rr\n lvs_method DR\n {server}\n }}")
    director.ready()
    with top(here, columns=120) as terminal:
        terminal.wait_for("10.0.0.11:80")
        director.process.send_signal(signal.SIGSTOP)
        terminal.wait_for("the director has not answered for")
        terminal.type("\x1b[B")
        terminal.type("z")
        terminal.wait_for("no new connections, weight 0? (y/n)")
        terminal.type("y")
        terminal.wait_for("the director does not answer; nothing is done")
        director.process.send_signal(signal.SIGCONT)
        until(
            "it answers again",
            lambda: not any("has not answered" in line for line in terminal.shown()) and terminal.shown(),
            30,
        )
        terminal.type("q")
        assert terminal.process.wait(10) == 0


def test_a_signal_leaves_the_terminal_as_it_was_too(one: Cluster) -> None:
    with top(one["director"]) as terminal:
        terminal.wait_for("no virtual services")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 128 + signal.SIGTERM
        terminal.read()
        assert terminal.seen.endswith(LEAVES)
        assert terminal.settings() == terminal.before


def test_without_a_terminal_it_writes_plain_frames(one: Cluster) -> None:
    one["director"].up()
    one["director"].restore(service())
    start = time.monotonic()
    text = one["director"].directrix("top", "-n", "2", "-d", "0.1").stdout
    assert time.monotonic() - start < 10
    assert text.count("directrix top  ") == 2
    assert "\x1b" not in text
    assert "10.0.0.12:80" in text


def listed(director: Host) -> dict[str, int]:
    """The weights of the TCP service's real servers."""
    rows = [line.split() for line in director.ipvsadm(f"-L -n -t {VIP}:80").splitlines() if "->" in line]
    return {row[1]: int(row[3]) for row in rows if row[1][0].isdigit()}
