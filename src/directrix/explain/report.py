"""An explanation for people, and as plain data."""

from __future__ import annotations

from dataclasses import asdict

from directrix.explain.choice import Standing
from directrix.explain.explanation import Explanation
from directrix.lvs.addresses import endpoint

_WIDTH = 18


def lines(told: Explanation) -> list[str]:
    """A line for each step; the real servers that a scheduler compared stand before its choice."""
    text = []
    for step in told.steps:
        if told.candidates and step.topic in ("choice", "verdict"):
            text += _table(told)
            text.append(f"{step.topic:<{_WIDTH}}{step.says}")
            text += [f"{other.topic:<{_WIDTH}}{other.says}" for other in told.steps[told.steps.index(step) + 1 :]]
            return text
        text.append(f"{step.topic:<{_WIDTH}}{step.says}")
    return text


def _table(told: Explanation) -> list[str]:
    chosen = "" if told.server is None else endpoint(*told.server.key)
    width = max(len(one.server) for one in told.candidates)
    return ["real servers"] + [_row(one, chosen, width) for one in told.candidates]


def _row(one: Standing, chosen: str, width: int) -> str:
    mark = ">" if one.server == chosen else " "
    row = f"  {mark} {one.server:<{width}}  weight {one.weight}, {one.active} active, {one.inactive} inactive"
    about = one.left_out or one.figure
    return f"{row}, {about}" if about else row


def as_json(told: Explanation) -> dict[str, object]:
    """The explanation as plain data."""
    return {
        "verdict": told.verdict,
        "meaning": told.meaning,
        "service": None if told.service is None else str(told.service),
        "server": None if told.server is None else endpoint(*told.server.key),
        "possible_servers": told.possible,
        "method": None if told.server is None else told.server.method.name.lower(),
        "rewritten": told.rewritten or None,
        "connection": {"new": told.new, "state": told.state, "expires": round(told.expires)} if told.state else None,
        "next_hop": None
        if told.way is None
        else {"interface": told.way.interface, "mac": told.way.mac, "neighbour": told.way.state},
        "real_servers": [asdict(one) for one in told.candidates],
        "steps": [{"topic": step.topic, "says": step.says} for step in told.steps],
    }
