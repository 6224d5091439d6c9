"""What stands outside of all blocks."""

from __future__ import annotations

from directrix.keepalived.schema.global_words import GLOBAL_DEFS, OUTSIDE
from directrix.keepalived.schema.server_words import LVS
from directrix.keepalived.schema.vrrp_words import VRRP
from directrix.keepalived.words import Block, Keyword, Section

TOP = Block(
    "",
    (
        *OUTSIDE,
        Keyword("global_defs", Section(GLOBAL_DEFS, merged=True), "global definitions", "globals"),
        *VRRP,
        *LVS,
    ),
)
"""Fields are those of `Configuration`."""
