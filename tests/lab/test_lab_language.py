"""The lab file language: what files mean, and every mistake with its place."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from directrix.lab.definition import Host, Interface, Lab, Role, Route
from directrix.lab.errors import LabError
from directrix.lab.language import parse, read_lab
from directrix.lab.reading import FaultyFile
from directrix.lab.ready_made import ready_made

WHOLE = """\
title = "all there is"
segments = ["lan", "far"]
vips = ["10.0.0.100", "fd00::100"]

[hosts.client]
role = "client"
interfaces.eth0 = { segment = "far", addresses = ["10.1.0.2/24"] }
routes = ["default via 10.1.0.1"]

[hosts.gw]
role = "router"
interfaces.near = { segment = "lan", addresses = ["10.0.0.1/24", "fd00::1/64"] }
interfaces.far = { segment = "far", addresses = ["10.1.0.1/24"] }

[hosts.dir]
role = "director"
ipvsadm = ["-A -t [fd00::100]:80 -s rr"]
routes = ["10.1.0.0/24 via 10.0.0.1", "default via fd00::1"]
vips = ["10.0.0.100"]
[hosts.dir.interfaces.eth0]
segment = "lan"
addresses = ["10.0.0.2/24", "fd00::2/64"]

[hosts.rs]
role = "realserver"
interfaces.eth0 = { segment = "lan" }
nginx = [80, 8080]
sysctl = { net.ipv4.tcp_syncookies = 0, "net/ipv4/conf/eth0/rp_filter" = "1" }
run = ["sh -c 'echo \\"a b\\" >/dev/null'", "true"]
"""


def test_everything_a_file_says_is_in_the_lab() -> None:
    both = (ip_address("10.0.0.100"), ip_address("fd00::100"))
    assert parse(WHOLE, "x.toml") == Lab(
        "all there is",
        ("lan", "far"),
        both,
        (
            Host(
                "client",
                Role.CLIENT,
                (Interface("eth0", "far", (ip_interface("10.1.0.2/24"),)),),
                routes=(Route(ip_network("0.0.0.0/0"), ip_address("10.1.0.1")),),
            ),
            Host(
                "gw",
                Role.ROUTER,
                (
                    Interface("near", "lan", (ip_interface("10.0.0.1/24"), ip_interface("fd00::1/64"))),
                    Interface("far", "far", (ip_interface("10.1.0.1/24"),)),
                ),
            ),
            Host(
                "dir",
                Role.DIRECTOR,
                (Interface("eth0", "lan", (ip_interface("10.0.0.2/24"), ip_interface("fd00::2/64"))),),
                routes=(
                    Route(ip_network("10.1.0.0/24"), ip_address("10.0.0.1")),
                    Route(ip_network("::/0"), ip_address("fd00::1")),
                ),
                vips=both[:1],
                ipvsadm=("-A -t [fd00::100]:80 -s rr",),
            ),
            Host(
                "rs",
                Role.REALSERVER,
                (Interface("eth0", "lan"),),
                vips=both,
                nginx=(80, 8080),
                sysctls=(("net.ipv4.tcp_syncookies", "0"), ("net/ipv4/conf/eth0/rp_filter", "1")),
                run=(("sh", "-c", 'echo "a b" >/dev/null'), ("true",)),
            ),
        ),
    )


@pytest.mark.parametrize("path", ready_made(), ids=lambda path: path.stem)
def test_ready_made_labs_are_right_and_carry_both_families(path: Path) -> None:
    lab = read_lab(path)
    assert lab.title
    assert {vip.version for vip in lab.vips} == {4, 6}
    for host in lab.hosts:
        for interface in host.interfaces:
            assert {address.version for address in interface.addresses} == {4, 6}


BASE = """\
segments = ["lan"]
vips = ["10.0.0.100"]
[hosts.a]
role = "{role}"
interfaces.eth0 = {{ segment = "lan", addresses = ["10.0.0.1/24", "fd00::1/64"] }}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(FaultyFile) as caught:
        parse(text, "f")
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ('routes = ["default 10.0.0.2"]', "6:11", "is not a route; write 'default via GATEWAY'"),
        ('routes = ["default via gateway"]', "6:11", "'gateway' is not an address"),
        ('routes = ["default via 10.9.0.2"]', "6:11", "is on no network of this host"),
        ('routes = ["10.1.0.1/24 via 10.0.0.2"]', "6:11", "has host bits set"),
        ('routes = ["10.1.0.0/24 via fd00::2"]', "6:11", "one is IPv4, the other IPv6"),
        ('routes = ["default via 10.0.0.2", "default via 10.0.0.3"]', "6:35", "there is a route to default already"),
        ('routes = "default via 10.0.0.2"', "6:10", "must be a list in brackets, not a text"),
        ("nginx = [80, 0]", "6:14", "is 0, but must be from 1 to 65535"),
        ("nginx = [80, 80]", "6:14", "port 80 is there already"),
        ("nginx = [true]", "6:10", "must be a whole number, not a truth value"),
        ("nginx = 80", "6:9", "must be a list in brackets, not a number"),
        ("sysctl = { kernel.hostname = 1 }", "6:19", "is not a parameter of a host's network"),
        ('sysctl = { "net/../kernel/hostname" = 1 }', "6:12", "is not a parameter of a host's network"),
        ("sysctl = { net.core.somaxconn = [1] }", "6:33", "must be a number or a text"),
        ("sysctl = 3", "6:10", "must be a table, not a number"),
        ('run = ["echo \'a"]', "6:8", "no closing quotation"),
        ('run = [" "]', "6:8", "is empty"),
        ("run = [1979-05-27]", "6:8", "must be a text in quotes, not a date or time"),
        ('ipvsadm = ["-C"]', "6:1", 'only a host with role = "director" has `ipvsadm`'),
        ("vips = []", "6:1", "only a director or a realserver carries VIPs"),
        ("routs = []", "6:1", "unknown key 'routs' (did you mean 'routes'?)"),
        ('interfaces.lo = { segment = "lan" }', "6:12", "can't name an interface"),
        ('interfaces.averylongname0 = { segment = "lan" }', "6:12", "may have 14 characters together"),
        ("interfaces.eth1 = { addresses = [] }", "6:12", "is on no segment"),
        ("interfaces.eth1 = 1", "6:19", "must be a table, not a number"),
        ('interfaces.eth1 = { segment = "lam" }', "6:31", "there is no segment 'lam' (did you mean 'lan'?)"),
        ('interfaces.eth1 = { segment = "lan", mtu = 9000 }', "6:38", "unknown key 'mtu'"),
    ],
)
def test_a_mistake_in_a_host_is_told_with_its_place(line: str, place: str, words: str) -> None:
    [fault] = faults(BASE.format(role="client") + line + "\n")
    assert fault.startswith(f"f:{place}: ")
    assert words in fault


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ('"10.0.0.2"', "has no prefix length; write, say, 10.0.0.2/24"),
        ('"10.0.0.300/24"', "is not an address"),
        ('"10.0.0.0/24"', "is the address of the network itself"),
        ('"10.0.0.255/24"', "is the network's broadcast address"),
        ('"224.0.0.1/24"', "must be an ordinary unicast address"),
        ('"10.0.0.1/24"', "10.0.0.1 is taken: it is the address of a eth0"),
        ('"10.0.0.100/24"', "10.0.0.100 is taken: it is a VIP"),
        ('"fd00::/64"', "is the address of the network itself"),
        ("1", "must be a text in quotes"),
    ],
)
def test_a_wrong_address_is_told_with_its_place(address: str, words: str) -> None:
    text = BASE.format(role="client") + '[hosts.b]\nrole = "client"\n'
    [fault] = faults(text + f'interfaces.eth0 = {{ segment = "lan", addresses = [{address}] }}\n')
    assert fault.startswith("f:8:51: ")
    assert words in fault


@pytest.mark.parametrize(
    ("rule", "words"),
    [('"ipvsadm -C"', "is no line for `ipvsadm -R`"), ('"-C\\n-C"', "is no line for `ipvsadm -R`"), ('""', "is empty")],
)
def test_a_wrong_line_for_the_director_is_told_with_its_place(rule: str, words: str) -> None:
    [fault] = faults(BASE.format(role="director") + f'ipvsadm = ["-C", {rule}]\n')
    assert fault.startswith("f:6:18: ")
    assert words in fault


@pytest.mark.parametrize(
    ("vip", "words"),
    [
        ('"10.0.0.101/32"', "a VIP is written without a prefix"),
        ('"10.0.0.100"', "is there already"),
        ('"ff02::1"', "can't be a VIP"),
        ('"::1"', "can't be a VIP"),
        ("5", "must be a text in quotes"),
    ],
)
def test_a_wrong_vip_is_told_with_its_place(vip: str, words: str) -> None:
    text = BASE.format(role="client").replace('"10.0.0.100"', f'"10.0.0.100", {vip}')
    [fault] = faults(text)
    assert fault.startswith("f:2:23: ")
    assert words in fault


def test_a_host_carries_only_vips_of_its_lab() -> None:
    [fault] = faults(BASE.format(role="realserver") + 'vips = ["10.0.0.99"]\n')
    assert fault == "f:6:9: 10.0.0.99 is no VIP of this lab; add it to `vips` at the top of the file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["f:1:1: there are no hosts", "f:1:1: there are no segments"]),
        (
            'segments = []\n[hosts.a]\nrole = "client"\n',
            ["f:1:12: there are no segments", "f:2:8: 'a' has no interface"],
        ),
        ('segments = ["lan"]\nhosts = {}\n', ["f:2:1: there are no hosts"]),
        ('segments = ["lan"]\nhosts = 3\n', ["f:2:9: `hosts` must be a table"]),
        ('segments = ["lan"]\nhosts.a = 3\n', ["f:2:11: `hosts.a` must be a table"]),
        (BASE.format(role="boss"), ["f:4:8: there is no role 'boss'"]),
        (BASE.format(role="client").replace("role", "rule"), ["f:3:8: 'a' has no role", "f:4:1: unknown key 'rule'"]),
        (BASE.format(role="client").replace("[hosts.a]", "[hosts.a-b]"), ["f:3:8: 'a-b' can't name a host"]),
        (BASE.format(role="client").replace("[hosts.a]", "[hosts.switch]"), ["f:3:8: 'switch' can't name a host"]),
        (BASE.format(role="client").replace('["lan"]', '["lan", "lan"]'), ["f:1:20: segment 'lan' is there already"]),
        (BASE.format(role="client").replace('["lan"]', '["lan", "La n"]'), ["f:1:20: 'La n' can't name a segment"]),
        ("title = 7\n" + BASE.format(role="client"), ["f:1:9: `title` must be a text"]),
        ('segments = ["lan"]\n[[hosts]]\nrole = "client"\n', ["f:2:3: `hosts` must be a table, not a list"]),
    ],
)
def test_what_is_missing_or_misnamed_is_told_where_it_belongs(text: str, expected: list[str]) -> None:
    told = faults(text)
    assert len(told) == len(expected)
    for fault, beginning in zip(told, expected, strict=True):
        assert fault.startswith(beginning)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = \n", "1:5"),
        ("a = 1\na = 2\n", "2:6"),
        ("x = [1,\n2", "2:2"),
        ("x = [1,\n2,\n\n", "2:3"),
        ("[hosts", "1:7"),
        ("=1", "1:1"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(text: str, place: str) -> None:
    [fault] = faults(text)
    assert fault.startswith(f"f:{place}: ")


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    text = BASE.format(role="boss") + "nginx = [0]\nsegments = 1\n"
    told = faults(text.replace('["10.0.0.100"]', "[7]"))
    assert [fault.split(": ")[0] for fault in told] == ["f:2:9", "f:4:8", "f:6:10", "f:7:1"]


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="No such file"):
        read_lab(tmp_path / "none.toml")
    with pytest.raises(LabError, match="Is a directory"):
        read_lab(tmp_path)
    file = tmp_path / "binary.toml"
    file.write_bytes(b"title = 'x'\n# \xff\xfe")
    with pytest.raises(FaultyFile) as caught:
        read_lab(file)
    assert str(caught.value) == f"{file}:2:3: not UTF-8 text; save the file as UTF-8"


def test_a_host_without_a_role_gets_no_second_complaint_for_its_vips() -> None:
    text = BASE.format(role="director")
    assert replace(parse(text, "f"), title="x").hosts[0].vips == (ip_address("10.0.0.100"),)
    assert len(faults(text.replace('role = "director"', "vips = []"))) == 1


DIRECTORS = """\
segments = ["lan"]
vips = ["10.0.0.100"]
keepalived = '''
virtual_server 10.0.0.100 80 {
@d1 weight 3
  lvs_sched wlc
}
'''
[hosts.d1]
role = "director"
interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.1/24"] }
[hosts.d2]
role = "director"
interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.2/24"] }
"""


def test_directors_that_run_a_keepalived_conf_carry_no_vip_of_their_own() -> None:
    lab = parse(DIRECTORS, "f")
    assert lab.keepalived.startswith("virtual_server 10.0.0.100 80 {\n@d1 weight 3\n")
    assert [host.vips for host in lab.hosts] == [(), ()]


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("lvs_sched wlc", "lvs_shed wlc", "6:3", "'lvs_shed'"),
        ("@d1 weight 3", "@d2 lvs_sched", "5:5", "lvs_sched"),
        ("'''\nvirtual_server 10", "'''virtual_sever 10", "3:17", "'virtual_sever'"),
        ("\n}\n'''", "\n'''", "4:30", "is never closed"),
        (
            '[hosts.d2]\nrole = "director"\n',
            '[hosts.d2]\nrole = "director"\nipvsadm = ["-C"]\n',
            "14:1",
            "leave this out",
        ),
    ],
)
def test_a_mistake_in_the_keepalived_conf_is_told_with_its_place_in_the_lab_file(
    before: str, after: str, place: str, words: str
) -> None:
    assert before in DIRECTORS
    fault = faults(DIRECTORS.replace(before, after))[0]
    assert fault.startswith(f"f:{place}: ")
    assert words in fault


def test_a_keepalived_conf_that_nobody_runs_is_told() -> None:
    [fault] = faults(DIRECTORS.replace('"director"', '"client"'))
    assert fault == 'f:3:1: no host has role = "director", and nobody else runs it'
