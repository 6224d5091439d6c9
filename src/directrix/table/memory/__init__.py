"""The table in plain Python: the readable statement of what a virtual server table does."""

from directrix.table.memory.control import MemoryTable

__all__ = ["MemoryTable"]
