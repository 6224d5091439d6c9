"""Commands that change a keepalived.conf, typed into a shell, and what the file means afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from directrix.doctor.configured import Configured, word
from directrix.doctor.daemon import Daemon
from directrix.doctor.finding import Remedy
from directrix.keepalived import load
from directrix.keepalived.values import VrrpInstance

TEXT = """\
$SECRET=from-elsewhere
vrrp_instance OTHER {
    interface eth1
    virtual_router_id 51
}
vrrp_instance VI {
    interface eth0
    virtual_router_id 51   # ours
@d1 priority 150
@d2 priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass secret
    }
    virtual_ipaddress {
        10.0.0.100/24
        10.0.0.101/24
    }
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "it's keepalived.conf"
    file.write_text(TEXT)
    return file


def configured(file: Path) -> Configured:
    return Configured(Daemon(4711, str(file), "d2"))


def done(file: Path, remedies: list[Remedy]) -> VrrpInstance:
    """What instance VI is after the first command; the second one only reloads."""
    edit, reload = remedies
    assert reload.command == "kill -HUP 4711"
    assert not edit.safe
    subprocess.run(["sh", "-c", edit.command], check=True)
    before, after = TEXT.splitlines(), file.read_text().splitlines()
    assert after[:5] == before[:5]
    return next(each for each in load(str(file), "d2").configuration.instances if each.name == "VI")


def test_a_setting_is_replaced_where_it_stands(file: Path) -> None:
    assert done(file, configured(file).set("VI", "virtual_router_id", "52")).virtual_router_id == 52
    assert "virtual_router_id 52   # ours" in file.read_text()


def test_a_line_for_another_host_stays(file: Path) -> None:
    assert done(file, configured(file).set("VI", "priority", "254")).priority == 254
    assert load(str(file), "d1").configuration.instances[1].priority == 150


def test_a_setting_that_is_not_there_is_added(file: Path) -> None:
    assert done(file, configured(file).set("VI", "version", "3")).version == 3


def test_a_password_is_replaced_in_its_block(file: Path) -> None:
    found = done(file, configured(file).set_inside("VI", "authentication", "auth_pass", "a/b&c"))
    assert found.authentication is not None
    assert found.authentication.password == b"a/b&c"


def test_a_block_that_is_not_there_is_added(file: Path) -> None:
    found = done(file, configured(file).add("VI", "unicast_peer", ["10.0.0.2"]))
    assert [str(peer.address) for peer in found.unicast_peers] == ["10.0.0.2"]


def test_an_address_is_added_to_those_that_are_there_and_taken_away(file: Path) -> None:
    found = done(file, configured(file).add("VI", "virtual_ipaddress", ["10.0.0.102"]))
    assert {str(each.address) for each in found.addresses} == {f"10.0.0.10{last}" for last in (0, 1, 2)}
    file.write_text(TEXT)
    found = done(file, configured(file).remove("VI", "virtual_ipaddress", "10.0.0.101"))
    assert {str(each.address) for each in found.addresses} == {"10.0.0.100"}


def test_what_is_there_already_or_not_there_at_all_needs_no_command(file: Path) -> None:
    assert configured(file).add("VI", "virtual_ipaddress", ["10.0.0.101/24"]) == []
    assert configured(file).remove("VI", "virtual_ipaddress", "10.0.0.109") == []
    assert configured(file).set("NONE", "priority", "1") == []
    assert configured(file).set_inside("OTHER", "authentication", "auth_pass", "x") == []


def test_a_parameter_is_replaced_where_it_is_used(file: Path) -> None:
    file.write_text(TEXT.replace("auth_pass secret", "auth_pass $SECRET"))
    found = done(file, configured(file).set_inside("VI", "authentication", "auth_pass", "x"))
    assert found.authentication is not None
    assert found.authentication.password == b"x"


def test_a_line_that_comes_out_of_a_parameter_is_left_to_people(file: Path) -> None:
    file.write_text(TEXT.replace("=from-elsewhere", "=auth_pass secret").replace("        auth_pass secret", "$SECRET"))
    assert configured(file).set_inside("VI", "authentication", "auth_pass", "x") == []


@pytest.mark.parametrize(
    ("sent", "written"),
    [(b"secret\0\0", "secret"), (b"a b\0\0\0\0\0", ""), (b"x#y\0\0\0\0\0", ""), (b"\xff" * 8, ""), (bytes(8), "")],
)
def test_a_password_that_can_not_stand_in_a_file_is_not_written_there(sent: bytes, written: str) -> None:
    assert word(sent) == written
