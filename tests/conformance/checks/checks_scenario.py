"""Scenarios of health checks, which keepalived and directrix both play, and their transcripts.

A scenario is text. The first lines say what is configured:

    service quorum 2 hysteresis 1 sorry 3 omega     a virtual service; `sorry`: a sorry server of that weight
    server a 4 file 1 misc dynamic alpha inhibit    a real server of weight 4; `file`: a FILE_CHECK of that weight

and then, line by line, what happens:

    file a 5        the number in a's file; `none`: the file goes
    misc a 1        the exit status of a's program
    stop            the end

A server with `http 3` has an HTTP_GET of three pages instead. `http a 2 500` gives the second one another status from
now on; `until change` waits until the table is another one, `until 5` for so many requests.

A server with `check TCP_CHECK` has a checker of that kind, which always fails; `attempts 8` waits for so many attempts.

A transcript has, for each of them, what stands in the table and what scripts were told, in the order of their names;
after `until` the pages that were asked for meanwhile, after `attempts` the waits between them, `l` for delay_loop and
`r` for delay_before_retry; there the start isn't a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCENARIOS, TRANSCRIPTS = HERE / "scenarios", HERE / "transcripts"
SORRY = "sorry"


@dataclass
class Service:
    quorum: int = 1
    hysteresis: int = 0
    sorry: int | None = None
    sorry_inhibit: bool = False
    omega: bool = False


@dataclass
class Server:
    name: str
    weight: int
    file: int | None = None
    reverse: bool = False
    misc: bool = False
    dynamic: bool = False
    alpha: bool = False
    inhibit: bool = False
    retry: int = 0
    http: int = 0
    fast: bool = False
    check: str = ""


@dataclass
class Scenario:
    service: Service = field(default_factory=Service)
    servers: list[Server] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)


def read(path: Path) -> Scenario:
    """A scenario from its file."""
    scenario = Scenario()
    for line in path.read_text().splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0] == "service":
            _options(scenario.service, words[1:])
        elif words[0] == "server":
            scenario.servers.append(Server(words[1], int(words[2])))
            _options(scenario.servers[-1], words[3:])
        else:
            scenario.steps.append(words)
    return scenario


def _options(value: Service | Server, words: list[str]) -> None:
    rest = iter(words)
    for name in rest:
        before = getattr(value, name)
        if isinstance(before, bool):
            setattr(value, name, True)
        else:
            setattr(value, name, next(rest) if isinstance(before, str) else int(next(rest)))


def lines(what: str, table: dict[str, int], told: list[str], asked: Sequence[object] | None = None) -> str:
    """What a transcript says of a step."""
    standing = " ".join(f"{name}:{weight}" for name, weight in sorted(table.items()))
    pages = "" if asked is None else f"< {' '.join(map(str, asked))}\n"
    return f"$ {what}\n{pages}| {standing or 'nobody'}\n" + "".join(f"! {word}\n" for word in sorted(told))
