"""Which of a connection's packets the director sees: what its state machine goes by (IPVS's columns)."""

from __future__ import annotations

import enum


class Direction(enum.Enum):
    """Whose packet it is, and whether the other side's come by here, too."""

    INPUT = enum.auto()
    """A client's, where the real server's replies pass the director: masquerading."""
    OUTPUT = enum.auto()
    """A real server's reply."""
    INPUT_ONLY = enum.auto()
    """A client's, where nothing else passes the director: direct routing and tunnels."""
