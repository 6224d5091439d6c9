"""Regular expressions as HTTP_GET's configurations are written: PCRE2's, by the system's libpcre2-8.

Python's own would be another language (no `\\K`, no `[[:alpha:]]`, no recursion), and one expression that runs wild
would hold up all checks; PCRE2 gives up after a bounded number of steps.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable
from typing import Any

OPTIONS = {
    "allow_empty_class": 0x00000001,
    "alt_bsux": 0x00000002,
    "auto_callout": 0x00000004,
    "caseless": 0x00000008,
    "dollar_endonly": 0x00000010,
    "dotall": 0x00000020,
    "dupnames": 0x00000040,
    "extended": 0x00000080,
    "firstline": 0x00000100,
    "match_unset_backref": 0x00000200,
    "multiline": 0x00000400,
    "never_ucp": 0x00000800,
    "never_utf": 0x00001000,
    "no_auto_capture": 0x00002000,
    "no_auto_possess": 0x00004000,
    "no_dotstar_anchor": 0x00008000,
    "no_start_optimize": 0x00010000,
    "ucp": 0x00020000,
    "ungreedy": 0x00040000,
    "utf": 0x00080000,
    "never_backslash_c": 0x00100000,
    "alt_circumflex": 0x00200000,
    "alt_verbnames": 0x00400000,
    "use_offset_limit": 0x00800000,
}
"""keepalived's `regex_options`, by pcre2api(3)'s bits."""

MOST_STEPS = 10_000_000
"""PCRE2 gives up on a subject after so many steps: some tenths of a second. It is PCRE2's own default, keepalived's,
too.
"""

_NO_MATCH = -1
_LIMITS = {-47: "steps", -53: "nesting", -63: "memory"}


class RegexError(ValueError):
    """An expression, or an option of it, that PCRE2 doesn't take; or one that can't be matched within bounds."""


class Regex:
    """A compiled expression.

    Raises:
        RegexError: the pattern is wrong, with the offset; or an option is not known.
        OSError: libpcre2-8 is not installed.
    """

    def __init__(self, pattern: str, options: Iterable[str] = ()) -> None:
        self.pattern = pattern
        bits = 0
        for option in options:
            if option not in OPTIONS:
                raise RegexError(f"there is no regex option {option!r}; there are {', '.join(OPTIONS)}")
            bits |= OPTIONS[option]
        self._library = _library()
        source = pattern.encode()
        number, offset = ctypes.c_int(), ctypes.c_size_t()
        self._code = self._library.pcre2_compile_8(
            source, len(source), bits, ctypes.byref(number), ctypes.byref(offset), None
        )
        if not self._code:
            raise RegexError(f"regex {pattern!r}, at offset {offset.value}: {self._words(number.value)}")
        self._match = self._library.pcre2_match_data_create_from_pattern_8(self._code, None)
        self._context = self._library.pcre2_match_context_create_8(None)
        self._library.pcre2_set_match_limit_8(self._context, MOST_STEPS)

    def __del__(self) -> None:
        if getattr(self, "_code", None):
            self._library.pcre2_match_context_free_8(self._context)
            self._library.pcre2_match_data_free_8(self._match)
            self._library.pcre2_code_free_8(self._code)

    def found_in(self, subject: bytes, first: int = 0, last: int | None = None) -> bool:
        """Whether it matches somewhere, beginning between the offsets `first` and `last`, both included.

        Raises:
            RegexError: too many steps, or a subject that isn't UTF-8 under the option utf.
        """
        if first > len(subject):
            return False
        found: int = self._library.pcre2_match_8(
            self._code, subject, len(subject), first, 0, self._match, self._context
        )
        if found == _NO_MATCH:
            return False
        if found in _LIMITS:
            raise RegexError(f"regex {self.pattern!r} takes too much {_LIMITS[found]} here")
        if found < 0:
            raise RegexError(f"regex {self.pattern!r}: {self._words(found)}")
        begin: int = self._library.pcre2_get_ovector_pointer_8(self._match)[0]
        return last is None or begin <= last

    def _words(self, number: int) -> str:
        text = ctypes.create_string_buffer(256)
        self._library.pcre2_get_error_message_8(number, text, len(text))
        return text.value.decode(errors="replace")


@functools.cache
def _library() -> Any:
    library = ctypes.CDLL("libpcre2-8.so.0")
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "compile": (
            pointer,
            [ctypes.c_char_p, size, ctypes.c_uint32, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(size), pointer],
        ),
        "code_free": (None, [pointer]),
        "match_data_create_from_pattern": (pointer, [pointer, pointer]),
        "match_data_free": (None, [pointer]),
        "match_context_create": (pointer, [pointer]),
        "match_context_free": (None, [pointer]),
        "set_match_limit": (ctypes.c_int, [pointer, ctypes.c_uint32]),
        "match": (ctypes.c_int, [pointer, ctypes.c_char_p, size, size, ctypes.c_uint32, pointer, pointer]),
        "get_ovector_pointer": (ctypes.POINTER(size), [pointer]),
        "get_error_message": (ctypes.c_int, [ctypes.c_int, ctypes.c_char_p, size]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"pcre2_{name}_8")
        function.restype, function.argtypes = result, arguments
    return library
