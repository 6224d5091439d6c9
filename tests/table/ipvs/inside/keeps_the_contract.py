"""The kernel's IPVS keeps the contract that its own rules are taken from, with nothing left out."""

from __future__ import annotations

import pytest
from contract import TableContract
from guest import SCHEDULERS

from directrix.table.interface import Table


class TestIpvsTable(TableContract):
    # Of the schedulers of IPVS this kernel has been built with all but twos.
    @pytest.mark.parametrize("scheduler", SCHEDULERS)
    def test_every_scheduler_of_ipvs_is_kept_by_name_or_refused_as_not_supported(
        self, table: Table, scheduler: str
    ) -> None:
        super().test_every_scheduler_of_ipvs_is_kept_by_name_or_refused_as_not_supported(table, scheduler)
