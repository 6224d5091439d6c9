"""The memory table keeps the contract, and supports all of it."""

from __future__ import annotations

import pytest
from contract import TableContract
from mark_contract import MarkContract

from directrix.table.memory import MemoryTable


class TestMemoryTable(TableContract, MarkContract):
    @pytest.fixture
    def table(self) -> MemoryTable:
        return MemoryTable()
