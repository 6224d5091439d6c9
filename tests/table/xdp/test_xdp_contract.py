"""The table in eBPF maps keeps the contract, or says of what it can't do yet that it can't."""

from __future__ import annotations

from typing import ClassVar

import pytest
from contract import TableContract
from data_plane import DataPlane
from mark_contract import MarkContract

from directrix.lvs import ForwardingMethod
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root


class PlanesContract(TableContract, MarkContract):
    lacks: ClassVar[frozenset[ForwardingMethod | str]] = frozenset(
        {ForwardingMethod.LOCAL, ForwardingMethod.BYPASS, "sip"}
    )
    starts_otherwise: ClassVar[set[str]] = {"run_estimation"}  # the plane has it 0


class TestXdpTable(PlanesContract):
    @pytest.fixture
    def table(self, plane: DataPlane) -> XdpTable:
        return plane.table


class TestTwoHandlesOfOneTable(PlanesContract):
    """A handle finds what another one did, whatever it knew before."""

    @pytest.fixture
    def table(self, plane: DataPlane) -> XdpTable:
        from contract import DNS, HTTP, a_server, a_service
        from mark_contract import a_match, a_rule

        mine = plane.table
        other = XdpTable(plane.place)
        other.add_service(a_service())
        other.add_server(HTTP, a_server())
        mine.add_service(a_service(DNS))
        mine.delete_service(HTTP)
        other.delete_service(DNS)
        mine.add_mark(a_rule())
        other.remove_mark(a_match())
        other.close()
        return mine
