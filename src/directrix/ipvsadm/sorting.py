"""The order of listings: ipvsadm's, which compares 32-bit numbers by their wrapped difference.

A difference of 2^31 and more counts as negative, so 192.168.0.1 stands before 10.0.0.1. Where the
numbers of a list lie within half the circle this is an order like any other. Where they don't it
is none (a before b, b before c, c before a), and the result is whatever the C library's merge
sort makes of it; so the same merge sort is here. Real servers of both families are compared as
if an IPv4 address were the first word of an IPv6 address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from directrix.lvs import Address, ServerState, ServiceState

T = TypeVar("T")
Key = tuple[int, ...]

_HALF = 0x80000000
_WORD = 0xFFFFFFFF


def _words(address: Address) -> Key:
    value = int(address)
    if address.version == 4:
        return (value,)
    return (value >> 96, value >> 64 & _WORD, value >> 32 & _WORD, value & _WORD)


def _service_key(state: ServiceState) -> Key:
    key = state.service.key
    if key.protocol is None or key.address is None:
        return (key.fwmark, key.family)
    return (0, key.family, key.protocol, *_words(key.address), key.port)


def _server_key(state: ServerState) -> Key:
    server = state.server
    return (*_words(server.address), server.port)


def sorted_services(states: Sequence[ServiceState]) -> list[ServiceState]:
    """Services by mark, family, protocol, address and port."""
    return _sorted(states, _service_key, _service_is_first)


def sorted_servers(states: Sequence[ServerState]) -> list[ServerState]:
    """Real servers by address and port."""
    return _sorted(states, _server_key, _server_is_first)


def _sorted(entries: Sequence[T], key_of: Callable[[T], Key], is_first: Callable[[Key, Key], bool]) -> list[T]:
    keyed = [(key_of(entry), entry) for entry in entries]
    if not _is_order([key for key, _ in keyed]):
        return [entry for _, entry in _merge_sorted(keyed, is_first)]
    return [entry for _, entry in sorted(keyed, key=_first)]


def _first(pair: tuple[Key, T]) -> Key:
    return pair[0]


def _is_order(keys: list[Key]) -> bool:
    """Whether wrapped comparison of these keys is the same as plain comparison."""
    if not keys or len({len(key) for key in keys}) > 1:
        return not keys
    return all(max(column) - min(column) < _HALF for column in zip(*keys, strict=True))


def _service_is_first(left: Key, right: Key) -> bool:
    """Whether `left` stands before `right`, or is the same."""
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            return bool((ours - theirs) & _HALF)
    return True


def _server_is_first(left: Key, right: Key) -> bool:
    """The same for real servers, where the left one's family decides how many words are looked at."""
    if len(left) == len(right):
        return _service_is_first(left, right)
    if len(left) < len(right):
        return _service_is_first(left, (right[0], right[-1]))
    return _service_is_first(left, (right[0], 0, 0, 0, right[-1]))


def _merge_sorted(entries: list[tuple[Key, T]], is_first: Callable[[Key, Key], bool]) -> list[tuple[Key, T]]:
    if len(entries) <= 1:
        return entries
    middle = len(entries) // 2
    left, right = _merge_sorted(entries[:middle], is_first), _merge_sorted(entries[middle:], is_first)
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if is_first(left[i][0], right[j][0]):
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]
