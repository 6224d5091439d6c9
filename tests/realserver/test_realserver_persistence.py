"""The files that keep a real server over boots."""

from __future__ import annotations

import configparser
import os
import shlex
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
from standing import RS

from directrix.realserver.persistence import MANAGERS, Lasting, lasting_facts
from directrix.realserver.preparing import Wish, plan
from directrix.system.facts import keeping
from directrix.system.facts.keeping import Holding
from directrix.system.facts.ledger import Book
from directrix.system.host_error import HostError

OWNERS = {
    "systemd": "usr/lib/systemd/systemd",
    "networkd": "usr/lib/systemd/systemd-networkd",
    "networkmanager": "usr/sbin/NetworkManager",
    "netplan": "usr/sbin/netplan",
    "ifupdown": "usr/sbin/ifup",
}
INTERFACES = "auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's files, with everything that could set it up."""
    for owner in OWNERS.values():
        place = tmp_path / "root" / owner
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (tmp_path / "root/etc/network").mkdir(parents=True)
    (tmp_path / "root/etc/network/interfaces").write_text(INTERFACES)
    return tmp_path / "root"


def kept(root: Path, manager: str, vip: str, method: str = "sysctl") -> Holding:
    planned = plan(ip_address(vip), Wish(method), RS)
    facts = lasting_facts(manager, Lasting(planned.vip, method, planned.facts, root))
    return Holding(f"lasting {vip}", facts, {})


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def written(root: Path, manager: str, vip: str, method: str = "sysctl") -> dict[str, str]:
    """The files that come, by their names below the root."""
    before = files(root)
    keeping.start(Book(root.parent / "run/1.json"), [kept(root, manager, vip, method)])
    return {name: text for name, text in files(root).items() if name not in before}


@pytest.mark.parametrize("manager", MANAGERS)
def test_every_way_sets_the_kernels_parameters_by_sysctl_d_with_the_last_word(root: Path, manager: str) -> None:
    found = written(root, manager, "10.0.0.100")
    text = found["etc/sysctl.d/99-z-directrix-realserver-10-0-0-100.conf"]
    assert "net.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n" in text
    assert "net.ipv4.conf.eth0.arp_ignore = 1\n" in text
    assert not any(name.startswith("etc/sysctl.d") for name in written(root, manager, "fd00::100"))


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("method", ["sysctl", "arptables", "redirect"])
@pytest.mark.parametrize("vip", ["10.0.0.100", "fd00::100"])
def test_every_way_is_undone_without_a_trace_and_several_vips_do_not_meet(
    root: Path, manager: str, method: str, vip: str
) -> None:
    bare, before, book = files(root), set(root.rglob("*")), Book(root.parent / "run/1.json")
    keeping.start(book, [kept(root, manager, vip, method)])
    alone = files(root)
    assert alone != bare
    keeping.start(book, [kept(root, manager, "10.0.0.101", method)])
    keeping.stop(book, ["lasting 10.0.0.101"])
    assert files(root) == alone
    keeping.stop(book, [f"lasting {vip}"])
    assert set(root.rglob("*")) == before


def test_the_unit_runs_the_commands_of_a_start_and_is_enabled(root: Path) -> None:
    found = written(root, "systemd", "10.0.0.100", "arptables")
    name = "directrix-realserver-10-0-0-100.service"
    assert found[f"etc/systemd/system/multi-user.target.wants/{name}"] == f"../{name}"
    lines = found[f"etc/systemd/system/{name}"].splitlines()
    starts = [shlex.split(line.removeprefix("ExecStart=")) for line in lines if line.startswith("ExecStart=")]
    assert [Path(words[0]).name for words in starts] == ["nft", "ip"]
    assert all(words[0].startswith("/") for words in starts)
    assert starts[0][1].startswith("add table arp directrix_10.0.0.100; delete table")
    assert starts[1][1:] == ["address", "replace", "10.0.0.100/32", "dev", "lo", "scope", "host"]
    ends = [line for line in lines if line.startswith("ExecStop=-")]
    assert len(ends) == 2
    assert "address del" in ends[0]
    assert lines.index("[Unit]") < lines.index("[Service]") < lines.index("[Install]")


def test_networkd_gets_one_file_for_lo_and_a_drop_in_for_each_vip(root: Path) -> None:
    directory = "etc/systemd/network/60-directrix-lo.network"
    first = written(root, "networkd", "10.0.0.100")
    assert "[Match]\nName=lo\n" in first[directory]
    assert (
        "[Address]\nAddress=10.0.0.100/32\nScope=host\n" in first[f"{directory}.d/directrix-realserver-10-0-0-100.conf"]
    )
    second = written(root, "networkd", "fd00::100")
    (drop_in,) = second.values()
    assert "Address=fd00::100/128\nPreferredLifetime=0\n" in drop_in
    parser = configparser.ConfigParser()
    parser.read_string(drop_in)
    assert parser.sections() == ["Address"]


def test_networkd_takes_the_file_that_sets_lo_up_already(root: Path) -> None:
    theirs = root / "usr/lib/systemd/network/10-loopback.network"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Match]\nName=lo\n")
    assert list(written(root, "networkd", "fd00::100")) == [
        "etc/systemd/network/10-loopback.network.d/directrix-realserver-fd00--100.conf"
    ]


def test_rules_need_a_unit_where_addresses_alone_can_be_told(root: Path) -> None:
    for manager in ("networkd", "netplan"):
        found = written(root, manager, "10.0.0.100", "redirect")
        assert any(name.endswith("directrix-realserver-10-0-0-100.service") for name in found)
        keeping.stop(Book(root.parent / "run/1.json"), ["lasting 10.0.0.100"])


def test_netplans_file_is_for_root_alone_and_tells_lo_and_the_vip(root: Path) -> None:
    found = written(root, "netplan", "fd00::100")
    ((name, text),) = found.items()
    assert name == "etc/netplan/60-directrix-realserver-fd00--100.yaml"
    assert stat.S_IMODE((root / name).stat().st_mode) == 0o600
    assert '      addresses:\n        - "fd00::100/128":\n            lifetime: 0\n' in text
    assert '        - "10.0.0.100/32"\n' in "".join(written(root, "netplan", "10.0.0.100").values())


def test_networkmanager_gets_a_script_it_will_run_and_that_may_run_often(root: Path) -> None:
    found = written(root, "networkmanager", "10.0.0.100", "redirect")
    ((name, text),) = found.items()
    assert name == "etc/NetworkManager/dispatcher.d/50-directrix-realserver-10-0-0-100"
    assert stat.S_IMODE((root / name).stat().st_mode) == 0o755
    assert text.startswith("#!/bin/sh\n")
    assert '[ "$2" = up ] || exit 0' in text
    assert "delete table ip directrix_10.0.0.100; add table" in text


def test_ifupdown_gets_lines_for_lo(root: Path) -> None:
    found = written(root, "ifupdown", "fd00::100")
    text = found["etc/network/interfaces.d/directrix-realserver-fd00--100"]
    assert "auto lo\niface lo inet6 manual\n    up " in text
    assert "address replace fd00::100/128 dev lo nodad preferred_lft 0\n" in text
    assert text.rstrip().endswith("address del fd00::100/128 dev lo || true")


@pytest.mark.parametrize("manager", MANAGERS)
def test_what_the_host_has_not_is_refused_with_what_it_has(root: Path, manager: str) -> None:
    for owner in OWNERS.values():
        (root / owner).unlink()
    with pytest.raises(HostError, match=r"this host has no .*; start it without --persist"):
        kept(root, manager, "10.0.0.100")
    other = "ifupdown" if manager != "ifupdown" else "systemd"
    (root / OWNERS[other]).touch()
    with pytest.raises(HostError, match=f"--persist={other} would do"):
        kept(root, manager, "10.0.0.100")


def test_ifupdown_that_takes_in_no_files_is_told_how_to(root: Path) -> None:
    (root / "etc/network/interfaces").write_text("auto lo\niface lo inet loopback\n")
    with pytest.raises(HostError, match=r"add the line `source /etc/network/interfaces\.d/\*`"):
        kept(root, "ifupdown", "10.0.0.100")
