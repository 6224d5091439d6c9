"""Mark rules as they lie in the kernel.

What the data plane reads is written whole for every change, as a generation of its own: entries of
the trie bear its number, ranges lie in the half of the array that is its turn. One store puts it in
force; the generation before stays readable for packets still on their way, until the next is
written.

Beside that lie the rules as they were given, for listing and for the next change, and the ghosts of
rules that were removed: what those covered is shown to packets as long as their mark's service has
connections, as the index does for services that went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_network

from directrix.lvs import MarkMatch, MarkRule, Protocol, ServiceKey
from directrix.lvs.errors import InvalidRequest
from directrix.lvs.mark import Network
from directrix.table.marks import MarkRules
from directrix.table.xdp import layout, libbpf
from directrix.table.xdp.keys import address_bytes, address_from
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.mark_ranges import Ranges, plan

_ROW, _RANGE, _PREFIX, _RUN, _STATE = (
    layout.FWMARK_RULE_ROW,
    layout.FWMARK_RANGE,
    layout.FWMARK_PREFIX,
    layout.FWMARK_RUN,
    layout.FWMARKS,
)


class Marks:
    """The mark rules of one table. The caller holds the table's lock."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._rows: list[tuple[MarkRule, int]] | None = None
        self._by_service: dict[ServiceKey, list[MarkMatch]] = {}

    def forget(self) -> None:
        """Somebody else may have changed the table: look again what is there."""
        self._rows = None

    def rules(self) -> list[MarkRule]:
        """The rules in force."""
        return [rule for rule, state in self._known() if state == layout.FWMARK_RULE]

    def of(self, key: ServiceKey) -> list[MarkMatch]:
        """What rules and ghosts cover for a firewall-mark service."""
        self._known()
        return self._by_service.get(key, [])

    def put(self, rules: MarkRules, alive: Callable[[ServiceKey], bool]) -> None:
        """Put rules in force in place of those there are; those become ghosts while their services are `alive`.

        Raises:
            InvalidRequest: there is no room for them.
        """
        before, wanted = self._known(), set(rules)
        gone = [rule for rule, _ in before if rule not in wanted]
        if len(_living(gone, alive)) > layout.MAX_FWMARK_RULES:
            raise InvalidRequest("too many mark rules that were removed still have connections; wait until some end")
        self._publish(rules)
        ghosts = _living(gone, alive)[: layout.MAX_FWMARK_RULES]
        self._write([(rule, layout.FWMARK_RULE) for rule in rules] + [(rule, layout.FWMARK_GHOST) for rule in ghosts])

    def settle(self, alive: Callable[[ServiceKey], bool]) -> None:
        """Keep the ghosts only of services that are `alive`: that have connections."""
        rows = self._known()
        ghosts = [rule for rule, state in rows if state == layout.FWMARK_GHOST]
        living = set(_living(ghosts, alive))
        if len(living) < len(ghosts):
            self._write([row for row in rows if row[1] == layout.FWMARK_RULE or row[0] in living])

    # Rows: the rules as given, and the ghosts.

    def _known(self) -> list[tuple[MarkRule, int]]:
        if self._rows is None:
            self._rows = list(self._read())
            self._sort_by_service()
        return self._rows

    def _sort_by_service(self) -> None:
        self._by_service = {}
        for rule, _ in self._rows or ():
            self._by_service.setdefault(rule.service, []).append(rule.match)

    def _read(self) -> Iterable[tuple[MarkRule, int]]:
        for raw in _ROW.whole.iter_unpack(self._maps.fwmark_rules.bytes[: _MOST_ROWS * _ROW.size]):
            address, mark, first, last, prefix, protocol, family, state = raw
            if not state:
                return
            network = ip_network((address_from(address, family), prefix))
            yield MarkRule(MarkMatch(network, Protocol(protocol) if protocol else None, first, last), mark), state

    def _write(self, rows: list[tuple[MarkRule, int]]) -> None:
        packed = b"".join(_packed(rule, state) for rule, state in rows)
        shared = self._maps.fwmark_rules.bytes
        shared[: len(packed)] = packed
        if len(rows) < _MOST_ROWS:
            shared[len(packed) : len(packed) + _ROW.size] = bytes(_ROW.size)
        self._rows = rows
        self._sort_by_service()

    # What packets read.

    def _number(self, name: str) -> int:
        return int(self._maps.fwmarks.words[_STATE.offsets[name] // 4])

    def _set_number(self, name: str, value: int) -> None:
        self._maps.fwmarks.words[_STATE.offsets[name] // 4] = value

    def _publish(self, rules: MarkRules) -> None:
        planned = plan(rules)
        in_force = self._number("in_force")
        generation = (self._number("last") + 1) & 0xFFFFFFFF or 2
        first = generation % 2 * layout.MAX_FWMARK_RANGES
        ranges, runs = _placed(set(planned.values()), first)
        self._forget_generations(in_force)
        if not planned:
            self._set_number("in_force", 0)
            return
        self._set_number("last", generation)
        start = first * _RANGE.size
        self._maps.fwmark_ranges.bytes[start : start + len(ranges)] = ranges
        for (protocol, network), wanted in planned.items():
            run = _RUN.whole.pack(runs[wanted], len(wanted))
            libbpf.map_update(self._maps.fwmark_prefixes, _prefix(generation, protocol, network), run)
        self._set_number("in_force", generation)

    def _forget_generations(self, but: int) -> None:
        """Take out of the trie what is not in force any more."""
        trie = self._maps.fwmark_prefixes
        for key in list(libbpf.map_keys(trie, _PREFIX.size)):
            if _PREFIX.get(memoryview(key), 0, "generation") != but:
                libbpf.map_delete(trie, key)


_MOST_ROWS = 2 * layout.MAX_FWMARK_RULES


def _packed(rule: MarkRule, state: int) -> bytes:
    match = rule.match
    network = match.network
    return _ROW.whole.pack(
        address_bytes(network.network_address),
        rule.mark,
        match.first_port,
        match.last_port,
        network.prefixlen,
        int(match.protocol or 0),
        network.version,
        state,
    )


def _living(rules: list[MarkRule], alive: Callable[[ServiceKey], bool]) -> list[MarkRule]:
    services = {key for key in {rule.service for rule in rules} if alive(key)}
    return [rule for rule in rules if rule.service in services]


def _prefix(generation: int, protocol: Protocol, network: Network) -> bytes:
    address = address_bytes(network.network_address)
    bits = layout.FWMARK_HEAD_BITS + network.prefixlen
    return _PREFIX.whole.pack(bits, generation, int(protocol), network.version, 0, address)


def _placed(wanted: Iterable[Ranges], first: int) -> tuple[bytes, dict[Ranges, int]]:
    """All ranges one behind the other, and where each run of them starts.

    Raises:
        InvalidRequest: there are too many.
    """
    runs: dict[Ranges, int] = {}
    packed: list[bytes] = []
    for ranges in wanted:
        runs[ranges] = first + len(packed)
        packed += [_RANGE.whole.pack(*one) for one in ranges]
    if len(packed) > layout.MAX_FWMARK_RANGES:
        raise InvalidRequest(
            f"the mark rules come to {len(packed):,} ranges of ports under their prefixes, and the table holds "
            f"{layout.MAX_FWMARK_RANGES:,}; let fewer prefixes lie within those that have many ports"
        )
    return b"".join(packed), runs
