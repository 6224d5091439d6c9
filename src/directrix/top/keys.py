"""From the bytes a terminal sends to the names of keys: pure."""

from __future__ import annotations

_SEQUENCES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down",
    b"\x1b[5~": "pageup", b"\x1b[6~": "pagedown",
    b"\x1b[H": "home", b"\x1b[F": "end", b"\x1bOH": "home", b"\x1bOF": "end",
    b"\x1b[1~": "home", b"\x1b[4~": "end", b"\x1b[7~": "home", b"\x1b[8~": "end",
}  # fmt: skip
_BYTES = {
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x03": "ctrl-c",
    b"\x0c": "ctrl-l",
}
_FINAL = range(0x40, 0x7F)
"""What ends a control sequence (ECMA-48, section 5.4)."""


def keys_of(data: bytes) -> list[str]:
    """The keys in what was read at once. Sequences nobody knows here are no keys; a lone ESC is `escape`."""
    found: list[str] = []
    while data:
        taken = _sequence(data) if data[:1] == b"\x1b" else data[:1]
        if data[0] >= 0x80:
            taken = data[: _character(data)]
        data = data[len(taken) :]
        if taken == b"\x1b":
            found.append("escape")
        elif taken[:1] == b"\x1b":
            found += [_SEQUENCES[taken]] if taken in _SEQUENCES else []
        elif taken in _BYTES:
            found.append(_BYTES[taken])
        else:
            found += [character for character in taken.decode("utf-8", "ignore") if character.isprintable()]
    return found


def _sequence(data: bytes) -> bytes:
    """The escape sequence that data begins with."""
    if data[1:2] == b"O":
        return data[:3]
    if data[1:2] != b"[":
        return data[:1]
    end = next((place for place in range(2, len(data)) if data[place] in _FINAL), len(data) - 1)
    return data[: end + 1]


def _character(data: bytes) -> int:
    """How many bytes the character that data begins with has in UTF-8; 1 if it is none."""
    if 0xC0 <= data[0] < 0xF8:
        return 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4
    return 1
