"""Lines of `static_rules` and `virtual_rules`: the words of `ip rule add`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.faults import suggestion
from directrix.keepalived.kinds import LEFT_OUT, Kind, read_integer
from directrix.keepalived.lines import Word, quoted
from directrix.keepalived.routing import CutShort, family_of_network, in_family, read_network
from directrix.keepalived.values import Rule
from directrix.lvs import Family

ACTIONS = ("blackhole", "unreachable", "prohibit", "nop", "throw")

OPTIONS: Mapping[str, str] = {
    "tos": "tos",
    "dsfield": "tos",
    "fwmark": "fwmark",
    "iif": "iif",
    "dev": "iif",
    "oif": "oif",
    "realms": "realms",
    "realm": "realms",
    "suppress_prefixlength": "suppress_prefixlength",
    "suppress_prefixlen": "suppress_prefixlength",
    "sup_pl": "suppress_prefixlength",
    "suppress_ifgroup": "suppress_ifgroup",
    "sup_group": "suppress_ifgroup",
    "tunnel-id": "tun_id",
    "tunnel_id": "tun_id",
    "tun_id": "tun_id",
    "uidrange": "uidrange",
    "protocol": "protocol",
    "ip_proto": "ipproto",
    "ipproto": "ipproto",
    "sport": "sport",
    "dport": "dport",
}
"""Options with one word, and iproute2's spelling of each; `l3mdev` alone has none."""

PREFERENCES = ("preference", "priority", "order", "pref")
OTHERS = ("from", "to", "table", "lookup", "not", "goto", "l3mdev", "inet", "inet6", "no_track", "track_group")


@dataclass(frozen=True)
class RuleLine(Kind):
    """A rule; `static` ones follow track groups, others an instance."""

    static: bool = False

    @property
    def syntax(self) -> str:
        track = "[track_group <NAME>]" if self.static else "[no_track]"
        return (
            "[not] [from <NETWORK>] [to <NETWORK>] [<OPTION> <WORD>] [table <TABLE> | goto <NUMBER> | blackhole |"
            f" unreachable | prohibit] [preference <NUMBER>] [inet6] {track}"
        )

    def read(self, arguments: Arguments) -> Any:
        first = arguments.left[0]
        try:
            rule = self._rule(arguments, first)
        except CutShort:
            word = arguments.statement.words[arguments.at - 1]
            arguments.faults.warn(word.place, f"{word.text!r} is no network: this rule is left out, as by keepalived")
            arguments.at = len(arguments.statement.words)
            return LEFT_OUT
        if rule.preference is None:
            arguments.faults.warn(first.place, "this rule has no preference; where it comes among others is left open")
        return rule

    def _rule(self, arguments: Arguments, first: Word) -> Rule:
        fields: dict[str, Any] = {}
        options: list[tuple[str, ...]] = []
        family: Family | None = None
        while (word := arguments.maybe()) is not None:
            name = word.text
            if name in ("from", "to"):
                key = "source" if name == "from" else "destination"
                fields[key] = read_network(arguments, arguments.next("a network"))
            elif name in ("table", "lookup"):
                fields |= {"action": "lookup", "table": arguments.next("a table").text}
            elif name == "goto":
                number = read_integer(arguments, arguments.next("a preference"), 0, 0xFFFFFFFF, "goto takes")
                fields |= {"action": "goto", "target": number}
            elif name in ACTIONS:
                fields["action"] = name
            elif name in PREFERENCES:
                number = read_integer(arguments, arguments.next("a number"), 0, 0xFFFFFFFF, f"{name} takes")
                fields["preference"] = number
            elif name == "not":
                fields["negate"] = True
            elif name in OPTIONS:
                options.append((OPTIONS[name], arguments.next("a value").text))
            elif name == "l3mdev":
                options.append(("l3mdev",))
                fields["action"] = "l3mdev"
            elif name in ("inet", "inet6"):
                family = Family.INET6 if name == "inet6" else Family.INET
            elif name == "no_track" and not self.static:
                fields["track"] = False
            elif name == "track_group" and self.static:
                fields["track_group"] = arguments.next("the name of a track group").text
            else:
                near = suggestion(name, (*OPTIONS, *PREFERENCES, *ACTIONS, *OTHERS))
                raise arguments.wrong(word, f"{name!r} is no option of a rule{near}")
        if "action" not in fields:
            raise Bad(first.place, "this rule says nothing to do: add table, goto, blackhole, unreachable or prohibit")
        networks = [fields[key] for key in ("source", "destination") if key in fields]
        if family is None:
            family = max((family_of_network(network) for network in networks), default=Family.INET)
        for key in ("source", "destination"):
            if key in fields:
                fields[key] = in_family(fields[key], family)
                if family_of_network(fields[key]) is not family:
                    raise Bad(first.place, "this rule mixes IPv4 and IPv6")
        return Rule(family=family, options=tuple(options), **fields)

    def write(self, value: Rule) -> str:
        words = [quoted(word) for word in value.words()]
        if value.family is Family.INET6 and value.source is None and value.destination is None:
            words.append("inet6")
        words += ["track_group", quoted(value.track_group)] if value.track_group else []
        return " ".join(words if value.track else [*words, "no_track"])
