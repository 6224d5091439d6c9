"""Plays a scenario on a cluster of its own: what each of its commands does.

    ipvsadm …                                in the director
    sysctl NAME[=VALUE]…                     the same: show values of IPVS's sysctls, or set them
    script NAME [WORD…]                      one of `scripts`, there too, which calls ipvsadm's programs; all it says
    mark …                                   the same: `directrix mark`, or in front of IPVS the same by iptables
    ask tcp|udp TARGET [from SOURCE] [times N]   connect, ask who is there, close; who answered each time
    hold NAME… TARGET [from SOURCE]          connect over TCP and ask, and stay connected, once for each name
    say NAME…                                ask again over a connection held
    close NAME… | reset NAME…                end connections held, by FIN or by RST
    send WHAT SOURCE TARGET [times N]        a raw packet; where it turned up. WHAT is TCP flags (syn, fin+ack, none…),
                                             udp, sctp: and chunks (sctp:init, sctp:cookie-echo+abort…), or
                                             port-unreachable, too-big, time-exceeded: what SOURCE's host says over
                                             ICMP about a segment from TARGET. A SOURCE of ADDRESS+N:PORT+M is
                                             N addresses and M ports more, in turn
    gateway                                  from now on the real servers reach clients by way of the director only
    reply WHAT SERVER CLIENT                 a raw packet of a real server; who gets it, from whom. ICMP is about what
                                             CLIENT has sent to SERVER
    left STATE N                             of N connections in this state, are all left, some, or none?
    wait SECONDS
    burst, watch, totals                     statistics: measuring.py

TARGET and SOURCE are ADDRESS:PORT; a SOURCE of an ADDRESS alone gets a port from the kernel.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import answering
import measuring
import topology
from listings import settled
from raw import Endpoint, Wire
from scenario import Answer, Step

PATIENCE = 2.5
"""Seconds a client waits. A refusal that comes while connect() holds the socket is lost: TCP asks again after 1 s."""
A_LINE = 20
"""Answers of raw packets a line."""

STAGE = Path(__file__).resolve().parent / "stage.sh"

Program = Callable[[list[str], str], Answer]


class Player:
    """Carries out the steps of a scenario. `programs` run with words and standard input, in the director.

    `totals` tells there what the whole table has counted. Scripts find the programs that are
    installed, or names of the directrix that the interpreter `python` has.
    """

    def __init__(self, totals: measuring.Totals, python: str = "", **programs: Program) -> None:
        self._programs = programs
        self._totals = totals
        self._python = python
        self.hosts = topology.build()
        self._servers = answering.start(self.hosts)
        self._wire = Wire(self.hosts)
        self._held: dict[str, socket.socket] = {}
        self._verbs: dict[str, Callable[[list[str]], list[str]]] = {
            "ask": self._ask,
            "hold": self._hold,
            "say": self._say,
            "close": self._close,
            "reset": self._reset,
            "send": self._send,
            "gateway": self._gateway,
            "reply": self._reply,
            "left": self._left,
            "wait": self._wait,
            "burst": lambda words: measuring.burst(self._wire, self.hosts, words),
            "watch": lambda words: measuring.watch(
                int(words[0]), lambda: self._call(programs["ipvsadm"], words[2:], "")
            ),
            "totals": lambda words: self._tell_totals(),
        }

    def close(self) -> None:
        """End the servers; the cluster goes with this process."""
        os.kill(self._servers, signal.SIGKILL)
        os.waitpid(self._servers, 0)

    def execute(self, step: Step) -> Answer:
        """Carry out a step."""
        verb, *words = step.words
        if verb in self._programs:
            return self._call(self._programs[verb], words, step.stdin)
        if verb == "script":
            return self._run_script(words)
        return Answer(0, "".join(f"{line}\n" for line in self._verbs[verb](words)), "")

    def _call(self, program: Program, words: list[str], stdin: str) -> Answer:
        with self.hosts["director"].entered():
            answer = program(words, stdin)
        # As a shell shows it: -1 is 255.
        return Answer(answer.status & 255, settled(answer.stdout), answer.stderr)

    def _run_script(self, words: list[str]) -> Answer:
        command = ["unshare", "--mount", str(STAGE), self._python, *words]
        with self.hosts["director"].entered():
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        return Answer(done.returncode & 255, done.stdout, "")

    def _tell_totals(self) -> list[str]:
        with self.hosts["director"].entered():
            return measuring.listed(self._totals)

    def _ask(self, words: list[str]) -> list[str]:
        kind, target, *rest = words
        source, times = _options(rest)
        question = self._ask_tcp if kind == "tcp" else self._ask_udp
        return [_in_short([question(Endpoint.of(target), source) for _ in range(times)])]

    def _ask_tcp(self, target: Endpoint, source: str) -> str:
        try:
            with self._connected(target, source) as connection:
                name = _question(connection)
                _finish(connection)
                return name
        except OSError as error:
            return _mishap(error)

    def _ask_udp(self, target: Endpoint, source: str) -> str:
        try:
            with self._socket(target, source, socket.SOCK_DGRAM) as client:
                client.connect(target.pair)
                client.send(b"who?")
                return client.recv(100).decode()
        except OSError as error:
            return _mishap(error)

    def _hold(self, words: list[str]) -> list[str]:
        place = next(place for place, word in enumerate(words) if ":" in word)
        source, _ = _options(words[place + 1 :])
        target, answers = Endpoint.of(words[place]), []
        for name in words[:place]:
            try:
                connection = self._connected(target, source)
                answers.append(_question(connection))
                self._held[name] = connection
            except OSError as error:
                answers.append(_mishap(error))
        return [_in_short(answers)]

    def _say(self, names: list[str]) -> list[str]:
        answers = []
        for name in names:
            if name not in self._held:
                answers.append("not connected")
                continue
            try:
                answers.append(_question(self._held[name]))
            except OSError as error:
                answers.append(_mishap(error))
        return [_in_short(answers)]

    def _close(self, names: list[str]) -> list[str]:
        for name in names:
            if name not in self._held:
                continue
            with self._held.pop(name) as connection, suppress(OSError):
                _finish(connection)
        return []

    def _reset(self, names: list[str]) -> list[str]:
        for name in names:
            if name not in self._held:
                continue
            with self._held.pop(name) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return []

    def _send(self, words: list[str]) -> list[str]:
        what, source, target, *rest = words
        _, times = _options(rest)
        to, sources = Endpoint.of(target), list(Endpoint.each(source))
        answers = [self._wire.send(what, one, to) for one in sources for _ in range(times)]
        return [_in_short(answers[start : start + A_LINE]) for start in range(0, len(answers), A_LINE)]

    def _gateway(self, words: list[str]) -> list[str]:
        topology.through_director(self.hosts)
        return []

    def _reply(self, words: list[str]) -> list[str]:
        what, source, target, *rest = words
        _, times = _options(rest)
        return [_in_short([self._wire.reply(what, Endpoint.of(source), Endpoint.of(target)) for _ in range(times)])]

    def _left(self, words: list[str]) -> list[str]:
        state, number = words
        with self.hosts["director"].entered():
            listing = self._programs["ipvsadm"](["-Lcn"], "").stdout
        left = sum(state in line.split() for line in listing.splitlines())
        return ["all" if left == int(number) else "some" if left else "none"]

    def _wait(self, words: list[str]) -> list[str]:
        time.sleep(float(words[0]))
        return []

    def _connected(self, target: Endpoint, source: str) -> socket.socket:
        client = self._socket(target, source, socket.SOCK_STREAM)
        try:
            client.connect(target.pair)
        except OSError:
            client.close()
            raise
        return client

    def _socket(self, target: Endpoint, source: str, kind: int) -> socket.socket:
        with self.hosts["client"].entered():
            client = socket.socket(socket.AF_INET if target.address.version == 4 else socket.AF_INET6, kind)
        client.settimeout(PATIENCE)
        if source:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            given = "." in source or source.startswith("[")
            client.bind(Endpoint.of(source if given and _has_port(source) else f"{source}:0").pair)
        return client


def _has_port(text: str) -> bool:
    return text.rpartition("]")[2].count(":") == 1


def _options(words: list[str]) -> tuple[str, int]:
    """The values of `from` and `times`."""
    values = dict(zip(words[::2], words[1::2], strict=True))
    return values.pop("from", ""), int(values.pop("times", "1"))


def _question(connection: socket.socket) -> str:
    connection.sendall(b"who?\n")
    answer = connection.recv(100).decode().split()
    # The answer is acknowledged before the scenario goes on, not up to 40 ms later, when its real server may be gone.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    # An earlier question may have been answered late, together with this one.
    return answer[0] if answer else "closed"


def _finish(connection: socket.socket) -> None:
    """End it as one who has read everything: with an answer unread, TCP would send RST."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(100):
        pass


def _mishap(error: OSError) -> str:
    known = {ConnectionRefusedError: "refused", ConnectionResetError: "reset", TimeoutError: "no answer"}
    if type(error) not in known:
        raise error
    return known[type(error)]


def _in_short(answers: list[str]) -> str:
    """Names side by side; longer answers, repeated ones counted, with commas."""
    if all(" " not in answer for answer in answers):
        return " ".join(answers)
    runs = [(answer, len(list(same))) for answer, same in groupby(answers)]
    return ", ".join(f"{answer} ({times} times)" if times > 1 else answer for answer, times in runs)
