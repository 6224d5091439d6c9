"""The two ways to run: frames one after the other as text, or the live view with its keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from directrix.lvs import endpoint
from directrix.lvs.errors import TableError
from directrix.top.model import Action, Do, Model, press
from directrix.top.sample import History, Sampler
from directrix.top.terminal import Screen
from directrix.top.view import frame

Actor = Callable[[Action], None]
"""Does what a key asked for to a real server; raises TableError if it can't."""


def batch(sampler: Sampler, write: Callable[[str], object], columns: int, interval: float, rounds: int | None) -> None:
    """Write frames as plain text, a blank line between them; without end if `rounds` is None."""
    history, done = History(), 0
    while rounds is None or done < rounds:
        if done:
            time.sleep(interval)
        sample = sampler()
        history.add(sample)
        lines = frame(Model(), sample, history, columns, unicode=False)
        write("\n".join([*([""] if done else []), *(line.text for line in lines)]) + "\n")
        done += 1


def live(screen: Screen, sampler: Sampler, act: Actor, interval: float, rounds: int | None) -> None:
    """Show the view until the user, the terminal or the number of rounds ends it."""
    model, history = Model(), History()
    sample, due, done = sampler(), time.monotonic() + interval, 1
    history.add(sample)
    while True:
        columns, lines = screen.size()
        screen.show(frame(model, sample, history, columns, lines, unicode=screen.unicode, interval=interval))
        keys = screen.keys(due - time.monotonic())
        if keys is None:
            return
        again = False
        for key in keys:
            model, action = press(model, key, sample)
            if action is None:
                continue
            if action.do is Do.QUIT:
                return
            again = True
            if action.row is not None:
                model = replace(model, message=_acted(act, action))
        if again or time.monotonic() >= due:
            if time.monotonic() >= due:
                if rounds is not None and done >= rounds:
                    return
                due, done = time.monotonic() + interval, done + 1
                fresh = sampler()
                history.add(fresh)
            else:
                fresh = sampler()
            sample = fresh


def _acted(act: Actor, action: Action) -> str:
    """Do it; what to tell of it."""
    try:
        act(action)
    except TableError as error:
        return str(error)
    name = endpoint(*action.row[1]) if action.row and action.row[1] else ""
    return f"{name} {'is quiesced' if action.do is Do.QUIESCE else 'is back'}"
