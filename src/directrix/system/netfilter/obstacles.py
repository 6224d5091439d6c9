"""Which rules of this host's firewall are in the way of packets for an address, whatever service they are for.

Packets are tried for each port that rules speak of, and for one that none does. What is named keeps back every packet
for the address, or every one to some port.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from directrix.system.address import Address
from directrix.system.addresses import addresses
from directrix.system.commands import CommandFailed, run
from directrix.system.netfilter.listing import ruleset_here
from directrix.system.netfilter.packet import Packet
from directrix.system.netfilter.ruleset import Ruleset, Verdict

_HOOKS = ("prerouting", "input")
_MOST_PORTS = 256
_OTHER_PORTS = (33_333, 44_444)
"""Ports that stand for all those that no rule names."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that is in the way.

    Attributes:
        where: the chain: family, table, name.
        rule: the rule in nft's words, or the chain's policy.
        command: shows the rule with its handle, for whoever wants to delete it.
    """

    where: str
    rule: str
    command: str

    @property
    def text(self) -> str:
        """For people."""
        return f"`{self.rule}` in the chain {self.where}; see `{self.command}`"


def obstacles(address: Address, interface: str) -> list[Obstacle]:
    """What drops or rejects packets for an address that come by an interface; nothing where rules can't be listed."""
    try:
        rules, here = ruleset_here(), addresses()
    except CommandFailed:
        return []
    carrying = frozenset(own.interface for own in here if own.address.ip == address)
    packet = Packet("tcp", address, None, interface, local_on=carrying or frozenset({interface}))
    return [_named(verdict) for verdict in in_the_way(rules, packet)] if rules is not None else []


def in_the_way(rules: Ruleset, packet: Packet) -> list[Verdict]:
    """Where packets like this one are stopped, whatever port they are for; a policy, if it stops those of all ports."""
    ports = _ports(rules)
    tried = [
        Packet(protocol, packet.address, port, packet.interface, local_on=packet.local_on)
        for protocol in ("tcp", "udp")
        for port in ports
    ]
    stops = [rules.journey(each, *_HOOKS).stops for each in tried]
    found: dict[tuple[str, object], Verdict] = {}
    for verdict in (verdict for met in stops for verdict in met):
        if verdict.rule is not None or all(any(each.chain == verdict.chain for each in met) for met in stops):
            found.setdefault((str(verdict.chain), verdict.rule), verdict)
    return list(found.values())


def _ports(rules: Ruleset) -> list[int]:
    """The ports that rules, or sets they use, speak of, and one that none does."""
    named: set[int] = set()
    for told in (*rules.rules.values(), *rules.sets.values()):
        named.update(number for number in _numbers(told) if 0 < number < 65536)
    other = next((port for port in _OTHER_PORTS if port not in named), 1)
    return [*sorted(named)[:_MOST_PORTS], other]


def _numbers(told: Any) -> Iterator[int]:
    if isinstance(told, dict):
        for key, value in told.items():
            if key not in ("handle", "counter"):
                yield from _numbers(value)
    elif isinstance(told, list | tuple):
        for value in told:
            yield from _numbers(value)
    elif isinstance(told, int) and not isinstance(told, bool):
        yield told


def _named(verdict: Verdict) -> Obstacle:
    chain = verdict.chain
    if chain.tool:
        name = verdict.rule[0].rpartition(" ")[2] if verdict.rule else chain.name
        command = f"{chain.tool} -t {chain.table} -S {name}"
        return Obstacle(str(chain), verdict.words or f"policy {chain.policy}", command)
    where, handle = verdict.rule or (str(chain), 0)
    command = f"nft -a list chain {where}"
    return Obstacle(where, _words(where, handle) if handle else f"policy {chain.policy}", command)


def _words(where: str, handle: int) -> str:
    """A rule in nft's words."""
    with suppress(CommandFailed):
        for line in run(["nft", "-a", "--stateless", "list", "chain", *where.split()]).splitlines():
            if line.endswith(f"# handle {handle}"):
                return line.split(" # handle")[0].strip()
    return f"rule {handle}"
