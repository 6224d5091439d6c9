"""Samples to look at."""

from __future__ import annotations

from ipaddress import ip_address

from directrix.health.rule import Absence
from directrix.lvs import Protocol, RealServer, ServiceKey, VirtualService
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import MemoryTable, Packet
from directrix.top.sample import History, Sample, take

VIP = ip_address("10.0.0.1")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
DNS = ServiceKey.of(Protocol.UDP, VIP, 53)
CLIENT = ip_address("10.9.0.1")


def real(number: int) -> tuple[object, int]:
    return (ip_address(f"10.0.0.{10 + number}"), 80)


def busy() -> MemoryTable:
    """HTTP over three servers, one of which never answers and one of which is out; DNS over one."""
    table = MemoryTable()
    table.add_service(VirtualService(HTTP, "rr"))
    for number, weight in ((1, 1), (2, 1), (3, 0)):
        table.add_server(HTTP, RealServer(ip_address(f"10.0.0.{10 + number}"), 80, weight=weight))
    table.add_service(VirtualService(DNS, "wlc"))
    table.add_server(DNS, RealServer(ip_address("10.0.0.19"), 53, weight=5))
    for port in range(1024, 1224):
        verdict = table.packet(Packet(Protocol.TCP, CLIENT, port, VIP, 80, TcpFlags.SYN, 60), 0.0)
        if verdict.server and str(verdict.server.address) == "10.0.0.11":
            table.packet(Packet(Protocol.TCP, CLIENT, port, VIP, 80, TcpFlags.ACK, 52), 0.001)
    table.tick()
    return table


def sample(table: MemoryTable | None = None) -> Sample:
    absences = {HTTP: {(ip_address("10.0.0.13"), 80): Absence(1, 0.0)}}
    return take(table or busy(), absences, 1.0, "12:00:00")


def history(*samples: Sample) -> History:
    made = History()
    for one in samples:
        made.add(one)
    return made
