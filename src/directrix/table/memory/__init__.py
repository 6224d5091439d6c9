"""The table in plain Python: the readable statement of what a virtual server table does."""

from directrix.table.memory.packet import Packet, Reply, Verdict, VerdictName
from directrix.table.memory.table import MemoryTable

__all__ = ["MemoryTable", "Packet", "Reply", "Verdict", "VerdictName"]
