"""A packet of a trace as a line, and as JSON."""

from __future__ import annotations

import time

from directrix.lvs import Protocol
from directrix.lvs.addresses import endpoint
from directrix.lvs.tcp import TcpFlags
from directrix.table.trace import Traced

_LETTERS = {TcpFlags.FIN: "F", TcpFlags.SYN: "S", TcpFlags.RST: "R", TcpFlags.ACK: "."}
_PROTOCOLS = {int(protocol): protocol.name for protocol in Protocol}
_WIDTH = 13
_REPLIED = "replied"


def line(packet: Traced) -> str:
    """Time, verdict, packet, and then, in the same line, whose it is and how its connection stands.

    12:30:05.123456 forwarded     eth0 TCP 192.0.2.9:1024 > 10.0.0.1:80 S 60 bytes
    -> 10.0.0.11:80 by eth0, new SYN_RECV 60 s
    """
    seconds, rest = divmod(packet.time, 1_000_000_000)
    clock = time.strftime("%H:%M:%S", time.localtime(seconds))
    parts = [f"{clock}.{rest // 1000:06} {packet.verdict:<{_WIDTH}} {packet.interface} {flow(packet)}"]
    about = explained(packet)
    return f"{parts[0]} {about}" if about else parts[0]


def flow(packet: Traced) -> str:
    """The packet itself."""
    if packet.source is None or packet.target is None:
        return f"no IP, {packet.frame_length} bytes"
    name = _PROTOCOLS.get(packet.protocol, f"protocol {packet.protocol}")
    if packet.protocol in _PROTOCOLS:
        ends = f"{endpoint(packet.source, packet.source_port)} > {endpoint(packet.target, packet.target_port)}"
    else:
        ends = f"{packet.source} > {packet.target}"
    letters = f" {flags(packet.tcp_flags)}" if packet.protocol == Protocol.TCP else ""
    return f"{name} {ends}{letters} {packet.length} bytes"


def flags(given: TcpFlags) -> str:
    """As tcpdump writes them: S, F, R, and a dot for ACK; `none` for none of these."""
    return "".join(letter for flag, letter in _LETTERS.items() if given & flag) or "none"


def explained(packet: Traced) -> str:
    """Real server, way out and connection; of its reply the service; without a real server that, if there is one."""
    if packet.server is None:
        return f"(service {packet.service})" if packet.service is not None else ""
    if packet.verdict == _REPLIED:
        return f"as {packet.service}, {_connection(packet)}"
    way = f"-> {endpoint(*packet.server)}" + (f" by {packet.out}" if packet.out else "")
    if packet.service is not None and packet.service.fwmark:
        way += f" ({packet.service})"
    return f"{way}, {_connection(packet)}"


def _connection(packet: Traced) -> str:
    if not packet.after:
        if packet.new and packet.tcp_flags & TcpFlags.SYN:
            return "without an entry: under flood"
        return "one packet" if packet.new else "no connection any more" if packet.before else "no connection"
    moved = packet.before and packet.before != packet.after
    state = f"{packet.before}>{packet.after}" if moved else packet.after
    words = [*(["new"] if packet.new else []), state, f"{packet.expires:.0f} s"]
    return " ".join(words) + (", by its template" if packet.by_template and packet.new else "")


def as_json(packet: Traced) -> dict[str, object]:
    """The packet as plain data; the frame as hexadecimal."""
    service = packet.service
    return {
        "time": packet.time / 1e9,
        "verdict": packet.verdict,
        "hook": packet.hook,
        "interface": packet.interface,
        "protocol": _PROTOCOLS.get(packet.protocol, packet.protocol),
        "source": None if packet.source is None else str(packet.source),
        "source_port": packet.source_port,
        "target": None if packet.target is None else str(packet.target),
        "target_port": packet.target_port,
        "tcp_flags": flags(packet.tcp_flags) if packet.protocol == Protocol.TCP else None,
        "length": packet.length,
        "service": None if service is None else str(service),
        "server": None if packet.server is None else endpoint(*packet.server),
        "connection": {
            "new": packet.new,
            "before": packet.before or None,
            "after": packet.after or None,
            "expires": round(packet.expires, 3),
            "by_template": packet.by_template,
        },
        "out": packet.out or None,
        "frame": packet.frame.hex(),
        "frame_length": packet.frame_length,
    }
