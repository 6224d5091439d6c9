"""A set of real servers being changed, and what each change does to the scheduler's position.

The rules are IPVS's: a new server goes to the head of the list; round robin steps back when the
server it stands on leaves; weighted round robin starts its lap over on every change, on a level
adjusted to the new weights.
"""

from __future__ import annotations

import math

from directrix.table.xdp.layout import CURSOR_AT_HEAD as HEAD


class Draft:
    """Servers by number with their weights, oldest first (so that adding is cheap), and the cursor.

    The cursor is a place in the list newest first in its low half, and for wrr the level in its
    high half.
    """

    def __init__(self, scheduler: str, numbers: list[int], weights: list[int], cursor: int) -> None:
        self.scheduler = scheduler
        self.numbers = numbers
        self.weights = weights
        self.cursor = cursor
        self._measure()

    def _measure(self) -> None:
        self._gcd = math.gcd(*self.weights)
        self._most = max(self.weights, default=0)

    @property
    def gcd(self) -> int:
        """Greatest common divisor of the weights above 0; 1 if there are none."""
        return self._gcd or 1

    @property
    def top(self) -> int:
        """The level wrr starts a lap on: the largest weight - (gcd - 1); 0 if no weight is above 0."""
        return self._most - (self.gcd - 1) if self._most else 0

    def start(self, scheduler: str) -> None:
        """Put a scheduler in charge, afresh."""
        self.scheduler = scheduler
        self.cursor = HEAD | (self.top << 32 if scheduler == "wrr" else 0)

    def add(self, number: int, weight: int) -> None:
        """Put a server at the head of the list."""
        self.numbers.append(number)
        self.weights.append(weight)
        self._gcd = math.gcd(self._gcd, weight)
        self._most = max(self._most, weight)
        if self.scheduler == "wrr":
            self._start_lap()
        elif self.cursor != HEAD:
            self.cursor += 1

    def edit(self, number: int, weight: int) -> None:
        """Change a server's weight."""
        self.weights[self.numbers.index(number)] = weight
        self._measure()
        if self.scheduler == "wrr":
            self._start_lap()

    def remove(self, number: int) -> None:
        """Take a server out."""
        index = self.numbers.index(number)
        place = len(self.numbers) - 1 - index
        del self.numbers[index], self.weights[index]
        self._measure()
        if self.scheduler == "wrr":
            self._start_lap()
        elif self.cursor != HEAD and self.cursor >= place:
            self.cursor = self.cursor - 1 if self.cursor else HEAD

    def _start_lap(self) -> None:
        level = self.cursor >> 32
        if level > self.top or not level:
            level = self.top
        elif self.gcd > 1:
            level = level // self.gcd * self.gcd + 1
        self.cursor = level << 32 | HEAD
