"""Scenarios of commands, and transcripts of what answered them.

A scenario is a text file of command lines. A transcript repeats each command and writes below it
what came back, so that a difference reads like a terminal session:

    $ ipvsadm -A -t 10.0.0.1:80 -w 1
    ! Illegal 'weight' option with the 'add-service' command
    = 2

`<` is a line of standard input, `|` of standard output, `!` of standard error and `=` the exit
status; a last line that lacks its newline ends in `<no newline>`. In a scenario, lines between
`<<END` and `END` are a command's standard input (`<<END-` leaves out its last newline), `#`
starts a comment, and the pseudo command `connections` fills the connection list with lines in the
form of /proc/net/ip_vs_conn.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
TRANSCRIPTS = HERE / "transcripts"


@dataclass(frozen=True)
class Step:
    """One command of a scenario: its words, the first being the program's name, and its input."""

    words: tuple[str, ...]
    stdin: str


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    status: int
    stdout: str
    stderr: str


def read_scenario(path: Path) -> list[Step]:
    """The steps of a scenario file."""
    lines = iter(path.read_text().splitlines())
    steps = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        words = shlex.split(line)
        stdin = ""
        if words[-1] in ("<<END", "<<END-"):
            stdin = "".join(f"{text}\n" for text in _until_end(lines))
            if words.pop() == "<<END-":
                stdin = stdin.removesuffix("\n")
        steps.append(Step(tuple(words), stdin))
    return steps


def _until_end(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "END":
            return
        yield line
    raise ValueError("<<END without END")


def transcript(steps: list[Step], execute: Callable[[Step], Answer]) -> str:
    """Run the steps and write down what came back."""
    return "".join(_entry(step, execute(step)) for step in steps)


def _entry(step: Step, answer: Answer) -> str:
    return (
        f"$ {shlex.join(step.words)}\n"
        + _prefixed("<", step.stdin)
        + _prefixed("|", answer.stdout)
        + _prefixed("!", answer.stderr)
        + f"= {answer.status}\n"
    )


def _prefixed(mark: str, text: str) -> str:
    lines = text.split("\n")
    last = lines.pop()
    return "".join(f"{mark} {line}\n" for line in lines) + (f"{mark} {last}<no newline>\n" if last else "")
