"""What directrix lets virtual and real servers have beyond keepalived: slow start, drains, budgets."""

from __future__ import annotations

from directrix.keepalived.kinds import Choice, Number
from directrix.keepalived.schema.option_kinds import Duration, RateKind
from directrix.keepalived.words import Block, Keyword, Section
from directrix.lvs.budget import MOST_SERVICE_RATE, MOST_SOURCE_RATE

DRAIN = Block(
    "drain",
    (
        Keyword(
            "deadline", Duration(), "how long it may take; without it, as long as there are connections", ours=True
        ),
        Keyword(
            "then",
            Choice({"keep": False, "expire": True}, "end of a drain"),
            "at the deadline keep what is left until it ends, or end it; keep",
            "expire",
            ours=True,
        ),
        Keyword(
            "udp",
            Choice({"stay": False, "leave": True}, "way for UDP flows"),
            "UDP flows stay like others, or go to other servers at once; stay",
            "udp_now",
            ours=True,
        ),
    ),
)
"""Fields are those of `Drain`."""

BUDGET = Block(
    "budget",
    (
        Keyword("rate", RateKind(MOST_SERVICE_RATE), "new connections of the service", "service", ours=True),
        Keyword("source_rate", RateKind(MOST_SOURCE_RATE), "new connections of each source", "source", ours=True),
        Keyword(
            "source_prefix", Number(1, 32), "what an IPv4 source is: a network of this prefix; 32", "prefix4", ours=True
        ),
        Keyword("source_prefix6", Number(1, 128), "the same of IPv6; 64", "prefix6", ours=True),
    ),
)
"""Fields are those of `lvs.Budget`."""

OF_BOTH = (
    Keyword("slow_start", Duration(), "a server that comes or comes back: its weight grows over this time", ours=True),
    Keyword(
        "drain",
        Section(DRAIN, merged=True, telling=True),
        "a server that is taken out or quiesced is drained first",
        ours=True,
    ),
)
"""Of virtual and of real servers."""

OF_VIRTUAL_SERVER = (
    Keyword("budget", Section(BUDGET, merged=True, telling=True), "how many new connections may come", ours=True),
)
