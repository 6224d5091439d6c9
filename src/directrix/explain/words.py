"""The words that describe a packet."""

from __future__ import annotations

import re

from directrix.lvs import Address, Protocol, parse_address
from directrix.lvs.mark import HIGHEST_PORT
from directrix.lvs.sctp import SctpChunk
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import Packet

_ENDPOINT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:]*)):(?P<port>[^:]*)")
_FLAGS = {str(flag.name): flag for flag in TcpFlags if flag}
_LENGTHS = {4: 40, 6: 60}


class BadPacket(Exception):
    """Words that describe no packet: what is wrong and what to write."""


def read_packet(
    protocol: str, source: str, destination: str, flags: str | None = None, chunks: str | None = None
) -> Packet:
    """The packet that words describe.

    Args:
        protocol: `tcp`, `udp` or `sctp`.
        source, destination: ADDRESS:PORT, IPv6 in brackets.
        flags: names of TCP flags with commas or bars between them, `none` for none; None for SYN.
        chunks: names of SCTP's chunks, likewise; None for INIT.

    Raises:
        BadPacket: they describe none.
    """
    which = Protocol[protocol.upper()]
    client, client_port = _endpoint(source, "SOURCE:PORT")
    target, target_port = _endpoint(destination, "DESTINATION:PORT")
    if client.version != target.version:
        raise BadPacket(
            f"{client} is IPv{client.version} and {target} is IPv{target.version}: one packet has one of them"
        )
    if flags is not None and which is not Protocol.TCP:
        raise BadPacket(f"--flags {flags}: only TCP has flags, not {which.name}")
    if chunks is not None and which is not Protocol.SCTP:
        raise BadPacket(f"--chunks {chunks}: only SCTP has chunks, not {which.name}")
    tcp_flags = TcpFlags.NONE
    if which is Protocol.TCP:
        tcp_flags = TcpFlags.SYN if flags is None else _flags(flags)
    kinds = tuple(_chunks("INIT" if chunks is None else chunks))
    length = _LENGTHS[client.version]
    return Packet(which, client, client_port, target, target_port, tcp_flags, length, sctp_chunks=kinds)


def _endpoint(text: str, what: str) -> tuple[Address, int]:
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise BadPacket(f"{text!r} is no {what}; IPv6 is written [ADDRESS]:PORT")
    host, port = match["four"] if match["six"] is None else match["six"], match["port"]
    try:
        address = parse_address(host)
    except ValueError:
        raise BadPacket(f"{text!r} is no {what}: {host!r} is no IPv4 or IPv6 address") from None
    if (address.version == 6) is (match["six"] is None):
        raise BadPacket(f"{text!r} is no {what}; only an IPv6 address stands in brackets")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > HIGHEST_PORT:
        raise BadPacket(f"{text!r} is no {what}: a port is 0 to {HIGHEST_PORT}, not {port!r}")
    return address, int(port)


def _flags(text: str) -> TcpFlags:
    found = TcpFlags.NONE
    if text.lower() == "none":
        return found
    for name in re.split(r"[,|+]", text):
        if name.upper() not in _FLAGS:
            raise BadPacket(f"--flags {text}: {name!r} is no flag; those are {', '.join(_FLAGS)}, or none")
        found |= _FLAGS[name.upper()]
    return found


def _chunks(text: str) -> list[SctpChunk]:
    names = re.split(r"[,|+]", text)
    for name in names:
        if name.upper() not in SctpChunk.__members__:
            raise BadPacket(f"--chunks {text}: {name!r} is no chunk; those are {', '.join(SctpChunk.__members__)}")
    return [SctpChunk[name.upper()] for name in names]
