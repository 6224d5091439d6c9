"""`directrix explain`: what the director would do with a packet, and why."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.explain.explanation import Explanation
    from directrix.table.memory import Packet

HELP = "say what would be done with a packet, step by step, and send nothing"

_PROTOCOLS = ("tcp", "udp", "sctp")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `directrix explain`."""
    parser.description = (
        "Say step by step what the director would do with a packet of a client: service, connection or template, real "
        "server and why that one, next hop; or why it would not be forwarded. A masqueraded real server's reply is "
        "explained, too, given as it comes: from RIP:PORT to CLIENT:PORT. Nothing is sent and nothing is changed."
    )
    parser.add_argument("protocol", choices=_PROTOCOLS, help="the packet's protocol")
    parser.add_argument("source", metavar="SOURCE:PORT", help="where it comes from; an IPv6 address in brackets")
    parser.add_argument("destination", metavar="DESTINATION:PORT", help="where it goes to")
    parser.add_argument("--in", dest="interface", metavar="IF", help="the interface it comes in by")
    parser.add_argument(
        "--flags", metavar="FLAG,…", help="TCP flags of SYN, ACK, FIN and RST, or none (default SYN, which starts one)"
    )
    parser.add_argument(
        "--chunks", metavar="CHUNK,…", help="SCTP chunks by name, such as INIT, COOKIE_ECHO, DATA (default INIT)"
    )
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 whatever the packet's end, 2 for words that describe no packet."""
    from directrix.explain.report import as_json, lines
    from directrix.explain.words import BadPacket, read_packet

    try:
        packet = read_packet(args.protocol, args.source, args.destination, args.flags, args.chunks)
    except BadPacket as bad:
        print(f"directrix explain: {bad}", file=sys.stderr)
        return 2
    told = _explain(packet, args.interface)
    if args.json:
        import json

        print(json.dumps(as_json(told), indent=2))
    else:
        print("\n".join(lines(told)))
    return 0


def _explain(packet: Packet, interface: str | None) -> Explanation:
    from directrix.explain import host, view
    from directrix.explain.explaining import explain
    from directrix.table.opening import IPVS, make_in_force, open_table

    host.check_interface(interface)
    if make_in_force() == IPVS:
        with closing(open_table(create=False)) as table:
            return explain(view.listed_table(table, packet), packet, host.of_the_kernels())
    from directrix.table.xdp import pins
    from directrix.table.xdp.host import check_host

    check_host()
    place = pins.here()
    if not place.loaded():
        print("there is no table in this network namespace: the host's own stack gets every packet", file=sys.stderr)
        return explain(view.no_table(), packet, host.without_table())
    with view.our_table(place, packet) as seen:
        surroundings = host.of_our_table(place, packet.client, interface, seen.insight)
        return explain(seen, packet, surroundings)
