"""`directrix config`: what is understood of a configuration, and which keywords there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directrix.cli.main import main
from directrix.keepalived import load

TEXT = """\
$N=11
virtual_server 10.0.0.1 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    delay_loop 5
    real_server 10.0.0.${N} 80 {
        TCP_CHECK { connect_timeout 2 }
        notify_up "/bin/x 'a b'"
    }
}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.conf"
    path.write_text(TEXT)
    return path


def test_what_is_understood_is_shown_as_text_that_means_the_same(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "show", "-f", str(path)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out == (
        "virtual_server 10.0.0.1 80 {\n"
        "    protocol TCP\n"
        "    lvs_sched rr\n"
        "    lvs_method DR\n"
        "    delay_loop 5\n"
        "    real_server 10.0.0.11 80 {\n"
        "        notify_up \"/bin/x 'a b'\"\n"
        "        TCP_CHECK {\n"
        "            connect_timeout 2\n"
        "        }\n"
        "    }\n"
        "}\n"
    )
    again = tmp_path / "again.conf"
    again.write_text(out)
    assert load(str(again)).configuration == load(str(path)).configuration


def test_json_has_every_default_and_inheritance_worked_out(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json", "--use-file", str(path)]) == 0
    (server,) = json.loads(capfd.readouterr().out)["virtual_servers"]
    assert (server["address"], server["protocol"], server["method"], server["scheduler_flags"]) == (
        "10.0.0.1",
        "tcp",
        "direct",
        [],
    )
    (real,) = server["real_servers"]
    assert real["notify_up"] == {"words": ["/bin/x", "a b"], "user": "", "group": ""}
    (check,) = real["checks"]
    assert (check["kind"], check["connect_ip"], check["connect_port"]) == ("TCP_CHECK", "10.0.0.11", 80)
    assert (check["connect_timeout"], check["delay_loop"], check["warmup"], check["retry"]) == (2.0, 5.0, 5.0, 1)


def test_a_faulty_configuration_is_not_shown(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path.write_text(TEXT + "nonsense\n")
    assert main(["config", "show", "-f", str(path)]) == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"{path}:12:1: error: 'nonsense' is no keyword here\n")
    assert main(["config", "show", "-f", str(path.parent / "none")]) == 1


def test_bytes_that_are_no_utf_8_are_shown_as_they_are(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path.write_bytes(b"global_defs {\n router_id \xff\xfe\n}\n")
    assert main(["config", "show", "-f", str(path)]) == 0
    assert capfdbinary.readouterr().out == b"global_defs {\n    router_id \xff\xfe\n}\n"
    assert main(["config", "show", "--json", "-f", str(path)]) == 0
    assert b'"router_id": "\\udcff\\udcfe"' in capfdbinary.readouterr().out


def test_keywords_are_listed_with_what_they_mean_here(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "keywords"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "  DR_CHECK [directrix's own]: the VIP answers on this real server, reached as clients reach it" in lines
    assert "  weight: its share of new connections; 0 for none" in lines
    assert any(line.startswith("  enable_dbus [no meaning here]: ") for line in lines)
    assert main(["config", "keywords", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    (row,) = (row for row in rows if row["block"] == "virtual_server" and row["keyword"] == "lvs_sched")
    assert (row["spellings"], row["state"]) == (["lvs_sched", "lb_algo"], "understood")
