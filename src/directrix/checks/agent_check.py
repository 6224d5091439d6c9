"""AGENT_CHECK, ours: a real server tells its own state and weight, by the text that HAProxy's agent-check understands.

The agent is a TCP service at the real server. It says one line and closes; words are separated by spaces, commas or
tabs, upper and lower case alike, and what follows a `#` is a remark:

| word | meaning |
| --- | --- |
| `75%` | the weight is 75 % of the configured one (rounded up, so that only 0 % is 0) |
| `up` | up |
| `down`, `fail`, `failed`, `stopped` | down, at once, whatever `retry` says |
| `ready` | ends `drain` and `maint` |
| `drain` | weight 0: connections go on, no new ones |
| `maint` | out, as if down |
| `maxconn:N` | understood and ignored: thresholds are the operator's |

What is not said stays as it was. An agent that can't be reached or says nothing of meaning fails the check, and `retry`
counts, if the checker is configured to `require` it; else it is as if there were none, as with HAProxy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, Standing
from directrix.checks.settings import Target
from directrix.checks.sockets import CheckFailed
from directrix.checks.stream import Stream

LONGEST_LINE = 1024
"""An agent that says more is cut off."""

_PERCENT = re.compile(r"(\d{1,5})(?:\.\d+)?%")
_MAXCONN = re.compile(r"maxconn:\d+")
_DOWN = {"down", "fail", "failed", "stopped"}
_STANDING = {"ready": Standing.READY, "drain": Standing.DRAIN, "maint": Standing.MAINT}


@dataclass(frozen=True, slots=True)
class AgentCheck:
    """Where the agent is, and what for.

    Attributes:
        target: the agent's address and port.
        server_weight: the server's configured weight, which percentages are of.
        send: what is said to the agent first, if anything.
        require: an agent that can't be understood is a failure.
    """

    target: Target
    server_weight: int = 1
    send: bytes = b""
    require: bool = False


class AgentChecker(Checker):
    """Asks the agent."""

    def __init__(self, settings: AgentCheck) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline
        self._down = ""

    async def attempt(self, item: int) -> Outcome:
        """Read one line."""
        try:
            outcome = judge(await self._line(), self.settings.server_weight, bool(self._down))
        except CheckFailed as error:
            if self.settings.require:
                raise
            return Outcome(not self._down, f"nothing new from the agent: {error}", certain=True)
        self._down = "" if outcome.ok else outcome.detail
        return outcome

    async def _line(self) -> str:
        stream = await Stream.to(self.settings.target)
        try:
            if self.settings.send:
                await stream.send(self.settings.send)
            said = b""
            while b"\n" not in said and b"\r" not in said and len(said) < LONGEST_LINE:
                data = await stream.receive()
                if not data:
                    break
                said += data
        finally:
            stream.close()
        line = said[:LONGEST_LINE].splitlines()[0] if said.strip(b"\r\n\0 ") else b""
        return line.decode(errors="replace")


def judge(line: str, server_weight: int, is_down: bool = False) -> Outcome:
    """What an agent's line means. `is_down`: it said so before, and that stands until it says `up`.

    Raises:
        CheckFailed: no word of it has a meaning.
    """
    said = re.split(r"[\s,]+", line.partition("#")[0].strip().lower())
    down, weight, standing, understood = is_down, None, None, False
    for word in said:
        if percent := _PERCENT.fullmatch(word):
            weight = -(-server_weight * int(percent[1]) // 100) - server_weight
        elif word in _DOWN:
            down = True
        elif word == "up":
            down = False
        elif word in _STANDING:
            standing = _STANDING[word]
        elif not _MAXCONN.fullmatch(word):
            continue
        understood = True
    if not understood:
        raise CheckFailed(f"the agent said nothing of meaning: {line[:60]!r}" if line else "the agent said nothing")
    return Outcome(not down, line.strip()[:200], weight, standing, certain=down)
