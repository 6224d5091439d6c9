"""`directrix trace`: show packets, live, with what the data plane does with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.table.trace import Traced
    from directrix.table.xdp.tracing import Tracer

HELP = "show live what is done with packets, and why"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix trace`."""
    parser.description = (
        "Show packets with what the data plane does with them: verdict, service, real server, state of the connection. "
        "It ends by Ctrl-C, or when the reader goes; packets cost no more afterwards than before. Filter words: tcp, "
        "udp, sctp, host ADDRESS, net ADDRESS/PREFIX, port PORT, service VIP:PORT, mark MARK, server RIP[:PORT], "
        "verdict NAME[,NAME…], new. All of them must fit. Traffic of the host itself is shown where host, net, port or "
        "verdict say which."
    )
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="which packets; without one, those to virtual services"
    )
    parser.add_argument("-c", "--count", type=int, metavar="N", help="end after so many packets")
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after this time")
    parser.add_argument(
        "--rate",
        type=int,
        metavar="N",
        help="show so many packets a second at most (default 1,000); how many were skipped is told at the end",
    )
    parser.add_argument(
        "-s", "--snaplen", type=int, metavar="BYTES", help="show so many bytes of a frame (default 96, at most 1,024)"
    )
    parser.add_argument("-j", "--json", action="store_true", help="a line of JSON for each packet")
    parser.add_argument(
        "-w", "--pcap", metavar="FILE", help="write a capture that tcpdump and Wireshark read; - is standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, 1 if it was refused or ended by somebody else, 2 for a filter that makes no sense."""
    from directrix.system.signals import noting_the_end
    from directrix.table.trace import DEFAULT_RATE
    from directrix.table.xdp.tracing import tracing
    from directrix.trace.words import BadFilter, read_filter

    try:
        wanted = read_filter(args.filter)
    except BadFilter as bad:
        print(f"directrix trace: column {bad.column}: {bad.reason}", file=sys.stderr)
        return 2
    for name, given in (("-c", args.count), ("--for", args.seconds)):
        if given is not None and given <= 0:
            print(f"directrix trace: {name} takes a number above 0, not {given}", file=sys.stderr)
            return 2
    rate = DEFAULT_RATE if args.rate is None else args.rate
    snap = _DEFAULT_SNAP if args.snaplen is None else args.snaplen
    output = _Output(args.json, args.pcap, snap)
    with noting_the_end() as ended:
        try:
            with tracing(wanted, rate, snap) as tracer:
                output.begin()
                print("tracing; Ctrl-C ends it", file=sys.stderr, flush=True)
                _show(tracer, output, args.count, args.seconds, ended)
                skipped, lost = tracer.skipped, tracer.lost
        finally:
            output.end()
    print(_summary(output.shown, skipped, lost, rate), file=sys.stderr)
    return 0


_DEFAULT_SNAP = 96
_WAIT = 0.25
"""Seconds between two looks at whether it is over."""


def _show(tracer: Tracer, output: _Output, count: int | None, seconds: float | None, ended: Callable[[], bool]) -> None:
    import time

    end = None if seconds is None else time.monotonic() + seconds
    over = False
    while not over:
        # once more after the end, for what came in until then
        over = ended() or (end is not None and time.monotonic() >= end)
        wait = _WAIT if end is None else min(end - time.monotonic(), _WAIT)
        for packet in tracer.poll(0.0 if over else wait):
            output.packet(packet)
            if output.shown == count:
                return
        output.flush()


def _summary(shown: int, skipped: int, lost: int, rate: int) -> str:
    words = [f"{shown:,} packets shown"]
    if skipped:
        words.append(f"{skipped:,} skipped, beyond {rate:,} a second")
    if lost:
        words.append(f"{lost:,} lost, since they were not read quickly enough")
    return ", ".join(words)


class _Output:
    """Where packets are shown: lines, JSON or a capture file."""

    def __init__(self, as_json: bool, file: str | None, snap: int) -> None:
        self._json = as_json
        self._path = file
        self._snap = snap
        self._file: IO[bytes] | None = None
        self.shown = 0

    def begin(self) -> None:
        if self._path is None:
            return
        from directrix import __version__
        from directrix.trace import pcapng

        self._file = sys.stdout.buffer if self._path == "-" else open(self._path, "wb")  # noqa: SIM115  see end()
        self._capture = pcapng.Capture(self._snap)
        self._file.write(pcapng.header(f"directrix {__version__}"))
        self._file.flush()

    def packet(self, packet: Traced) -> None:
        from directrix.trace import lines

        self.shown += 1
        if self._file is not None:
            self._file.write(self._capture.packet(packet))
        elif self._json:
            import json

            print(json.dumps(lines.as_json(packet)))
        else:
            print(lines.line(packet))

    def flush(self) -> None:
        (self._file or sys.stdout).flush()

    def end(self) -> None:
        if self._file is not None and self._path != "-":
            self._file.close()
