"""What becomes of a packet: the data plane's verdicts, in the order of `bpf/verdict.h`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One end a packet can come to. `fate` is passed, forwarded or dropped."""

    name: str
    fate: str
    meaning: str


VERDICTS = (
    Verdict("not_ours", "passed", "no virtual service has this destination"),
    Verdict("other_host", "passed", "the frame is not addressed to this host"),
    Verdict("malformed", "passed", "a header is cut off or contradicts itself"),
    Verdict("fragment", "passed", "a fragment that came before the first of its datagram: a copy waits for that"),
    Verdict("bad_quote", "passed", "an ICMP error that quotes too little, or no IP packet"),
    Verdict("unknown_quote", "passed", "an ICMP error about no connection there is"),
    Verdict("no_service", "passed", "the address is virtual, this port is not"),
    Verdict("no_connection", "passed", "has no connection and may not start one: the host answers, TCP by RST"),
    Verdict("local", "passed", "its real server is this host"),
    Verdict("handed_up", "passed", "XDP left it to tc, where it is counted again with its end"),
    Verdict("forwarded", "forwarded", "sent to a real server"),
    Verdict("replied", "forwarded", "a masqueraded real server's reply, sent to its client"),
    Verdict("no_neighbour", "forwarded", "held by the kernel while it asks for the real server's MAC"),
    Verdict("later_fragment", "forwarded", "sent to the real server that has the first fragment"),
    Verdict("no_server", "dropped", "no real server available: answered with port unreachable"),
    Verdict(
        "bad_fragment", "dropped", "a fragment without all of a header, over the first, or of SCTP to another port"
    ),
    Verdict("table_full", "dropped", "a new connection found no room in the table"),
    Verdict("server_gone", "dropped", "of a connection whose real server was removed"),
    Verdict("no_route", "dropped", "no route to the real server"),
    Verdict("busy", "dropped", "a lock of the table was not had in time"),
    Verdict("drop_packet", "dropped", "would have made a connection: the defence of the sysctl drop_packet"),
    Verdict("too_big", "dropped", "does not fit the way to its end: answered with the size that does"),
    Verdict("time_exceeded", "dropped", "its TTL ended at the director: answered with time exceeded"),
    Verdict("over_budget", "dropped", "a new connection more than its service or its source has a budget for"),
    Verdict("tunnel_error", "dropped", "an ICMP error about a packet in a tunnel: the client was told"),
)
