"""The vocabulary of virtual servers: values only, no I/O.

Every other room speaks in these words: virtual service, real server, scheduler, forwarding
method, flags, timeouts, counters, connections and errors.
"""

from directrix.lvs.addresses import Address, Family, endpoint, parse_address
from directrix.lvs.connection import Connection, ConnectionFlags
from directrix.lvs.errors import TableError
from directrix.lvs.mark import MarkMatch, MarkRule
from directrix.lvs.server import ForwardingMethod, RealServer, Tunnel, TunnelFlags, TunnelType
from directrix.lvs.service import Protocol, SchedulerFlags, ServiceKey, VirtualService
from directrix.lvs.state import Counters, Rates, ServerState, ServiceState, Timeouts

__all__ = [
    "Address",
    "Connection",
    "ConnectionFlags",
    "Counters",
    "Family",
    "ForwardingMethod",
    "MarkMatch",
    "MarkRule",
    "Protocol",
    "Rates",
    "RealServer",
    "SchedulerFlags",
    "ServerState",
    "ServiceKey",
    "ServiceState",
    "TableError",
    "Timeouts",
    "Tunnel",
    "TunnelFlags",
    "TunnelType",
    "VirtualService",
    "endpoint",
    "parse_address",
]
