"""The terminal: raw keys in, whole frames out.

Plain ECMA-48 sequences that every terminal since the VT100 knows, instead of curses: no terminfo entry has to be there
at the other end of an SSH connection, and a frame is one write that overwrites the last one in place, so nothing
flickers.
Whatever happens, the terminal is left as it was.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from directrix.top.keys import keys_of
from directrix.top.view import Line, Style

_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_RESET = "\x1b[0m"
_MARKS = {Style.TITLE: "\x1b[7m", Style.HEAD: "\x1b[1m", Style.SERVICE: "\x1b[1m", Style.SELECTED: "\x1b[7m"}
_COLOURS = {Style.BAD: "\x1b[31m", Style.DIM: "\x1b[2m"}

_REST_OF_A_KEY = 0.05
"""Seconds in which the rest of a key's sequence comes, or it was the escape key."""


def drawing(lines: Sequence[Line], *, colour: bool) -> str:
    """What shows these lines from the upper left corner on, in place of what was there."""
    marks = _MARKS | (_COLOURS if colour else {})
    drawn = []
    for line in lines:
        mark = marks.get(line.style, "")
        drawn.append(f"{mark}{line.text}{_RESET if mark else ''}{_TO_END_OF_LINE}")
    return _HOME + "\r\n".join(drawn) + _TO_END


class Screen:
    """A terminal in our hands; made by `screen`."""

    def __init__(self, wake: int) -> None:
        self._wake = wake
        self._colour = "NO_COLOR" not in os.environ
        self.unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"

    def size(self) -> tuple[int, int]:
        """Columns and lines as they are now."""
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
        return columns or 80, lines or 24

    def show(self, lines: Sequence[Line]) -> None:
        """Show a frame."""
        sys.stdout.write(drawing(lines, colour=self._colour))
        sys.stdout.flush()

    def keys(self, seconds: float) -> list[str] | None:
        """The next keys; none after so many seconds or when the size changed; None if the terminal is gone."""
        readable, _, _ = select.select([sys.stdin, self._wake], [], [], max(seconds, 0.0))
        if self._wake in readable:
            os.read(self._wake, 64)
        if sys.stdin not in readable:
            return []
        try:
            data = os.read(sys.stdin.fileno(), 1024)
            if data.endswith(b"\x1b") and select.select([sys.stdin], [], [], _REST_OF_A_KEY)[0]:
                data += os.read(sys.stdin.fileno(), 1024)
        except OSError:
            return None
        return keys_of(data) if data else None


@contextmanager
def screen() -> Iterator[Screen]:
    """Take the terminal over, and give it back as it was, also when a signal ends us."""
    before = termios.tcgetattr(sys.stdin)
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    number = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signals = {
        signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, _end),
        signal.SIGHUP: signal.signal(signal.SIGHUP, _end),
    }
    try:
        tty.setraw(sys.stdin)
        sys.stdout.write(_ENTER)
        sys.stdout.flush()
        yield Screen(awake)
    finally:
        for which, handler in signals.items():
            signal.signal(which, handler)
        signal.set_wakeup_fd(number)
        os.close(awake)
        os.close(wake)
        try:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        except (OSError, termios.error):
            pass  # the terminal went away: there is nothing to give back


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
