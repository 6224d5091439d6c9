"""The memory table keeps the contract, and supports all of it."""

from __future__ import annotations

import pytest
from contract import TableContract

from directrix.table.memory import MemoryTable


class TestMemoryTable(TableContract):
    @pytest.fixture
    def table(self) -> MemoryTable:
        return MemoryTable()
