"""Figures, the goals they are held against, and the tables they are printed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. `most` is the goal: more is a miss; `note` says what else was seen."""

    name: str
    value: float
    unit: str
    most: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a goal and this is beyond it."""
        return self.most is not None and self.value > self.most


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as lines, names first, a miss marked."""
    width = max((len(figure.name) for figure in figures), default=0)
    lines = []
    for figure in figures:
        goal = (
            ""
            if figure.most is None
            else f"  {'MISSED: at most' if figure.missed else 'at most'} {_number(figure.most)}"
        )
        note = f"  {figure.note}" if figure.note else ""
        lines.append(f"{figure.name:<{width}}  {_number(figure.value):>12} {figure.unit:<12}{goal}{note}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def publish(name: str, heading: str, figures: Iterable[Figure]) -> bool:
    """Print the figures, keep them in build/bench/NAME.txt, and say whether every goal was met."""
    figures = list(figures)
    text = f"{heading}\n\n{table(figures)}"
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.txt").write_text(text)
    print(f"\n{text}\n(also in build/bench/{name}.txt)", flush=True)
    return not any(figure.missed for figure in figures)
