"""A set of mark rules: what may stand beside what, and which rule gives a packet its mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from directrix.lvs import Address, Protocol
from directrix.lvs.errors import InvalidRequest, MarkExists, NoSuchMark
from directrix.lvs.mark import HIGHEST_MARK, HIGHEST_PORT, MarkMatch, MarkRule, Network

MOST_RULES = 4096


def check_rule(rule: MarkRule) -> None:
    """See whether a rule makes sense by itself.

    Raises:
        InvalidRequest: its mark is 0 or too large, or its ports are none or reversed.
    """
    match = rule.match
    if not 1 <= rule.mark <= HIGHEST_MARK:
        raise InvalidRequest(f"a mark is 1 to {HIGHEST_MARK}, not {rule.mark}")
    if not (0 <= match.first_port <= HIGHEST_PORT and 0 <= match.last_port <= HIGHEST_PORT):
        raise InvalidRequest(f"ports are 0 to {HIGHEST_PORT}, not {match.first_port}-{match.last_port}")
    if match.first_port > match.last_port:
        raise InvalidRequest(
            f"the ports {match.first_port}-{match.last_port} are reversed: write {match.last_port}-{match.first_port}"
        )


class MarkRules:
    """Mark rules in the order they were added.

    Of one prefix and protocol, the ports of two rules lie apart or one inside the other's, so that
    of all rules that fit a packet one is the most specific.
    """

    def __init__(self, rules: Iterable[MarkRule] = ()) -> None:
        self._rules: dict[MarkMatch, MarkRule] = {}
        self._alike: dict[tuple[Network, Protocol | None], list[MarkRule]] = {}
        for rule in rules:
            self.add(rule)

    def __iter__(self) -> Iterator[MarkRule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, rule: MarkRule) -> None:
        """Add a rule.

        Raises:
            InvalidRequest: it makes no sense, its ports overlap another's partly, or there are too many.
            MarkExists: there is one for the same packets.
        """
        check_rule(rule)
        match = rule.match
        if match in self._rules:
            raise MarkExists(match, self._rules[match].mark)
        alike = self._alike.setdefault((match.network, match.protocol), [])
        for other in alike:
            if _overlap_partly(match, other.match):
                raise InvalidRequest(
                    f"the ports of {match} overlap those of {other.match} (mark {other.mark}) in part, so neither "
                    "is the more specific; let them lie apart, or one inside the other"
                )
        if len(self._rules) >= MOST_RULES:
            raise InvalidRequest(f"the table is full: it holds {MOST_RULES:,} mark rules")
        alike.append(rule)
        self._rules[match] = rule

    def remove(self, match: MarkMatch, mark: int | None = None) -> None:
        """Remove the rule for these packets, of this mark if one is given.

        Raises:
            NoSuchMark: there is none, or it gives another mark.
        """
        rule = self._rules.get(match)
        if rule is None or mark not in (None, rule.mark):
            raise NoSuchMark(match, rule.mark if rule else None)
        del self._rules[match]
        self._alike[match.network, match.protocol].remove(rule)

    def mark_of(self, protocol: Protocol, address: Address, port: int) -> int:
        """The mark of a packet to this destination, 0 for none: that of the most specific rule it fits."""
        fitting = [rule for rule in self if rule.match.fits(protocol, address, port)]
        return max(fitting, key=lambda rule: rule.match.specificity).mark if fitting else 0


def _overlap_partly(a: MarkMatch, b: MarkMatch) -> bool:
    low, high = sorted(((a.first_port, a.last_port), (b.first_port, b.last_port)))
    return low[0] < high[0] <= low[1] < high[1]
