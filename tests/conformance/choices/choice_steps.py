"""What the scenarios of choices are made of, besides `ipvsadm`.

    fill VIP:PORT COUNT                       real servers 10.2.0.1 and on, with weights 1 to 7 in turn
    syn CLIENT[+N] PORT[+M] VIP[+K]:PORT [MARK]   connections, one for each address, port and VIP in turn
    ack CLIENT[+N] PORT[+M] VIP[+K]:PORT [MARK]   a further segment of the same connections; so are fin and rst

`+N` means that address and the N after it. The answer to these is which real server got
each packet, by the end of its address, or `-` if none did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product

from scenario import Answer, Step

from directrix.lvs import Address, parse_address

SYN = 0x02
FLAGS = {"syn": SYN, "ack": 0x10, "fin": 0x11, "rst": 0x04}
REFUSED = "-"
A_LINE = 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment of a client, and the firewall mark it meets the director with."""

    client: Address
    client_port: int
    virtual: Address
    virtual_port: int
    flags: int
    mark: int


def segments(step: Step) -> Iterator[Segment]:
    """What `syn` and its like send."""
    word, clients, ports, virtual, *mark = step.words
    addresses, _, port = virtual.rpartition(":")
    for to, client, client_port in product(_addresses(addresses), _addresses(clients), _numbers(ports)):
        yield Segment(client, client_port, to, int(port), FLAGS[word], int(mark[0]) if mark else 0)


def _numbers(text: str) -> range:
    first, _, more = text.partition("+")
    return range(int(first), int(first) + int(more or 0) + 1)


def _addresses(text: str) -> list[Address]:
    first, _, more = text.partition("+")
    return [parse_address(first.strip("[]")) + number for number in range(int(more or 0) + 1)]


def filling(step: Step) -> tuple[list[Address], str]:
    """The real servers that `fill` adds, and the rules that add them."""
    _, virtual, count = step.words
    addresses = [ip_address("10.2.0.0") + number for number in range(1, int(count) + 1)]
    rules = (f"-a -t {virtual} -r {address}:80 -g -w {1 + int(address) % 7}" for address in addresses)
    return addresses, "".join(f"{rule}\n" for rule in rules)


def label(server: Address) -> str:
    """A real server by the end of its address."""
    end = int(server) & 0xFFFF
    return f"{end:x}" if server.version == 6 else str(end)


def answer(choices: Iterable[str]) -> Answer:
    """The choices, twenty a line."""
    labels = list(choices)
    lines = (" ".join(labels[start : start + A_LINE]) for start in range(0, len(labels), A_LINE))
    return Answer(0, "".join(f"{line}\n" for line in lines), "")


def perform(
    step: Step,
    command: Callable[[Step], Answer],
    choose: Callable[[Iterable[Segment]], Iterable[str]],
    introduce: Callable[[list[Address]], None] = lambda servers: None,
) -> Answer:
    """Carry out a step: `command` runs ipvsadm, `choose` sends segments, `introduce` makes real servers known."""
    if step.words[0] == "ipvsadm":
        return command(step)
    if step.words[0] == "fill":
        servers, rules = filling(step)
        introduce(servers)
        return command(Step(("ipvsadm", "-R"), rules))
    return answer(choose(segments(step)))
