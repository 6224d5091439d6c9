"""The kernel's IPVS keeps the contract that its own rules are taken from, with nothing left out."""

from __future__ import annotations

import pytest
from contract import HTTP, TableContract, a_server
from guest import SCHEDULERS

from directrix.lvs.errors import UnknownToIpvs
from directrix.table.interface import Table


class TestIpvsTable(TableContract):
    # Of the schedulers of IPVS this kernel has been built with all but twos.
    @pytest.mark.parametrize("scheduler", SCHEDULERS)
    def test_every_scheduler_of_ipvs_is_kept_by_name(self, table: Table, scheduler: str) -> None:
        super().test_every_scheduler_of_ipvs_is_kept_by_name(table, scheduler)

    @pytest.mark.parametrize("operation", ["count_connections", "end_connections", "forget_clients"])
    def test_connections_are_those_of_a_real_server_that_is_there(self, table: Table, operation: str) -> None:
        """There is no such thing in IPVS: it is refused, and said so."""
        with pytest.raises(UnknownToIpvs):
            getattr(table, operation)(HTTP, *a_server().key)
