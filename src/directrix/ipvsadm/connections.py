"""The listing of connection entries (`-L -c`), in the table's own order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from directrix.ipvsadm.writing import EndpointWriter
from directrix.lvs import Connection, Protocol

TEMPLATE_OF_MARK = 0
"""The protocol number of a firewall-mark service's template, which listings call IP."""

_PROTOCOLS = {int(protocol): protocol for protocol in Protocol}
_NAMES = {TEMPLATE_OF_MARK: "IP", **{int(protocol): protocol.name for protocol in Protocol}}


def list_connections(entries: Iterable[Connection], endpoints: EndpointWriter, engines: bool) -> Iterator[str]:
    """Titles, then a line an entry; with `engines` also persistence engines and data where they are."""
    title = f"pro expire {'state':<11} {'source':<18} {'virtual':<18} "
    title += f"{'destination':<18} {'pe name':<16} pe_data" if engines else "destination"
    yield f"IPVS connection entries\n{title}\n"
    write = endpoints.write
    for entry in entries:
        protocol = _PROTOCOLS.get(entry.protocol)
        name = _NAMES.get(entry.protocol) or str(entry.protocol)
        minutes, seconds = divmod(entry.expires, 60)
        expires = f"{minutes:02d}:{seconds:02d}"
        source = write(entry.client, entry.client_port, protocol)
        virtual = write(entry.virtual, entry.virtual_port, protocol)
        server = write(entry.server, entry.server_port, protocol)
        line = f"{name:<3} {expires:<6} {entry.state:<11} {source:<18} {virtual:<18} "
        if engines and entry.engine:
            yield f"{line}{server:<16} {entry.engine:<18} {entry.engine_data}\n"
        else:
            yield f"{line}{server}\n"
