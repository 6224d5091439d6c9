"""Which make of the table is opened: what was chosen, or ours wherever this machine can carry it."""

from __future__ import annotations

import os
import subprocess

import pytest

from directrix.lvs.errors import TableUnavailable
from directrix.table import ipvs, opening
from directrix.table.memory import MemoryTable
from directrix.table.xdp import host

OURS, THEIRS = MemoryTable(), MemoryTable()


@pytest.fixture
def can(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What this machine is said to be able to carry."""
    able = {"xdp": True, "ipvs": True}

    def check_host() -> None:
        if not able["xdp"]:
            raise TableUnavailable("no BPF here")

    def open_ipvs() -> MemoryTable:
        if not able["ipvs"]:
            raise TableUnavailable("no IPVS here")
        return THEIRS

    monkeypatch.setattr(host, "check_host", check_host)
    monkeypatch.setattr(ipvs, "open_ipvs", open_ipvs)
    monkeypatch.setattr(opening, "_open_xdp", lambda create: (check_host(), OURS)[1])
    return able


@pytest.mark.parametrize(
    ("chosen", "xdp", "ipvs", "opened"),
    [
        ("", True, True, OURS),
        ("auto", True, True, OURS),
        ("auto", False, True, THEIRS),
        ("xdp", True, True, OURS),
        ("ipvs", True, True, THEIRS),
    ],
)
def test_the_table_is_ours_unless_chosen_or_impossible(
    chosen: str, xdp: bool, ipvs: bool, opened: MemoryTable, can: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(opening.VARIABLE, chosen)
    can.update(xdp=xdp, ipvs=ipvs)
    assert opening.open_table(create=False) is opened
    assert opening.make_in_force() == (opening.XDP if opened is OURS else opening.IPVS)


@pytest.mark.parametrize(
    ("chosen", "reason"), [("auto", "no BPF here"), ("xdp", "no BPF here"), ("ipvs", "no IPVS here")]
)
def test_where_nothing_can_be_opened_the_reason_is_that_of_the_table_preferred(
    chosen: str, reason: str, can: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(opening.VARIABLE, chosen)
    can.update(xdp=False, ipvs=False)
    with pytest.raises(TableUnavailable, match=reason):
        opening.open_table(create=True)


def test_a_kernel_without_ipvs_is_told_in_ipvsadms_words() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if os.path.exists("/proc/net/ip_vs"):
        pytest.skip("this kernel has IPVS")
    if subprocess.run(["/sbin/modprobe", "--dry-run", "ip_vs"], capture_output=True, check=False).returncode == 0:
        pytest.skip("this kernel could load IPVS")
    with pytest.raises(TableUnavailable, match=r"^Can't initialize ipvs: Protocol not available .*; are you sure that"):
        ipvs.open_ipvs()
