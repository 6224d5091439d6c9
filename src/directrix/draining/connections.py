"""What a drain does to the connections and the clients of a real server, whoever looks after its weight."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs import Address, Protocol, ServiceKey
from directrix.lvs.errors import NoSuchServer, NoSuchService, UnknownToIpvs
from directrix.table.interface import Table


@dataclass(frozen=True, slots=True)
class ConnectionsOf:
    """The connections of a real server in its table."""

    table: Table
    key: ServiceKey
    address: Address
    port: int

    def release_clients(self) -> bool:
        """Have new connections of clients that persistence keeps at it go elsewhere; False: they go on coming here.

        The kernel's IPVS does it for all servers of weight 0 or for none, by the sysctl expire_quiescent_template.
        """
        try:
            self.table.forget_clients(self.key, self.address, self.port)
        except UnknownToIpvs:
            return bool(self.table.sysctls()["expire_quiescent_template"])
        return True

    def release_stragglers(self) -> None:
        """The same once more: a packet that was being scheduled while the weight changed may have left a template."""
        try:
            self.table.forget_clients(self.key, self.address, self.port)
        except (UnknownToIpvs, NoSuchService, NoSuchServer):
            return

    def check_ending(self) -> None:
        """Refuse to end connections where that can't be done, before anything is changed.

        Raises:
            UnknownToIpvs: this make of the table can't.
            NoSuchService, NoSuchServer: it is not there.
        """
        # a make that can't tell the connections of one server can't end them
        self.table.count_connections(self.key, self.address, self.port)

    def end(self, protocol: Protocol | None = None) -> int:
        """End them, of a protocol or all; answers how many.

        Raises:
            TableError: as Table.end_connections.
        """
        return self.table.end_connections(self.key, self.address, self.port, protocol)
