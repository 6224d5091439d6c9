"""What `directrix mark` does, done by iptables: netfilter marks packets in front of the kernel's IPVS.

Every rule that fits a packet marks it, so the most specific one comes last. The machine's kernel has
nftables without tables for IP, so it is iptables' mangle table.
"""

from __future__ import annotations

import subprocess

from guest import ENVIRONMENT
from scenario import Answer

from directrix.lvs import MarkRule, Protocol
from directrix.marks.words import cut, read_match, read_rule
from directrix.table.marks import MarkRules

MODULES = ("iptable_mangle", "ip6table_mangle", "xt_mark", "xt_tcpudp", "xt_sctp")
_RESTORES = {4: "iptables-legacy-restore", 6: "ip6tables-legacy-restore"}


class NoNames:
    """Scenarios name no hosts and no ports."""

    def nothing(self, *_: object) -> None:
        """No name is known."""

    address = port = host = service = nothing


class Netfilter:
    """The marks of one director."""

    def __init__(self) -> None:
        self._rules = MarkRules()

    def mark(self, words: list[str], _: str) -> Answer:
        """Carry `mark WORDS` out."""
        command, rest = words[0], cut(" ".join(words[1:]))
        if command == "add":
            self._rules.add(read_rule(rest, NoNames()))
        elif command == "remove":
            self._rules.remove(read_match(rest, NoNames()))
        else:
            self._rules = MarkRules()
        for version, program in _RESTORES.items():
            rules = sorted(self._rules, key=lambda rule: rule.match.specificity)
            lines = [line for rule in rules if rule.match.network.version == version for line in _lines(rule)]
            text = "\n".join(["*mangle", ":PREROUTING ACCEPT", *lines, "COMMIT", ""])
            subprocess.run([program], input=text, text=True, check=True, env=ENVIRONMENT)
        return Answer(0, "", "")


def _lines(rule: MarkRule) -> list[str]:
    match = rule.match
    protocols = list(Protocol) if match.protocol is None else [match.protocol]
    ports = "" if match.every_port else f" --dport {match.first_port}:{match.last_port}"
    return [
        f"-A PREROUTING -d {match.network} -p {protocol.name.lower()}{ports} -j MARK --set-mark {rule.mark}"
        for protocol in protocols
    ]
