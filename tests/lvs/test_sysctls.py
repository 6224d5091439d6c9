"""IPVS's sysctls: what they take, and the language they are set in."""

from __future__ import annotations

import errno

import pytest

from directrix.lvs.errors import TableError
from directrix.lvs.sysctl_words import assignment, name_of, read_file
from directrix.lvs.sysctls import DEFAULTS, INERT, OF_IPVS, SYSCTLS, check, show


def test_every_sysctl_takes_its_default_and_says_what_it_is_for() -> None:
    for name, sysctl in SYSCTLS.items():
        sysctl.check(sysctl.default)
        assert sysctl.parse(show(sysctl.default)) == sysctl.default
        assert sysctl.name == name
        assert sysctl.meaning
    assert list(SYSCTLS) == sorted(SYSCTLS)
    assert set(INERT) < set(DEFAULTS)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("drop_entry", "3", 3),
        ("conn_reuse_mode", "0x11", 17),
        ("conn_reuse_mode", "010", 8),
        ("conn_reuse_mode", "-7", -7),
        ("sloppy_tcp", " 1 ", 1),
        ("sync_threshold", "5 9", (5, 9)),
        ("sync_threshold", "3\t50", (3, 50)),
        ("sync_threshold", "9 0", (9, 0)),
        ("sync_ports", "8", 8),
    ],
)
def test_a_value_is_read_as_the_kernel_reads_it(name: str, text: str, value: object) -> None:
    assert SYSCTLS[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("drop_entry", "4"), ("drop_entry", "-1"), ("secure_tcp", "x"), ("drop_packet", ""), ("sloppy_tcp", "1x"),
        ("sloppy_tcp", "1 2"), ("sync_ports", "3"), ("sync_ports", "0"), ("sync_version", "2"), ("sync_retries", "4"),
        ("sync_threshold", "9 5"), ("sync_threshold", "5"), ("sync_threshold", "-1 5"), ("lblc_expiration", "-1"),
        ("conn_reuse_mode", "2147483648"), ("conn_reuse_mode", "09"), ("conn_reuse_mode", "--1"),
    ],
)  # fmt: skip
def test_a_value_the_kernel_refuses_is_refused_in_the_words_of_sysctl(name: str, text: str) -> None:
    with pytest.raises(TableError) as refusal:
        SYSCTLS[name].parse(text)
    assert refusal.value.errno == errno.EINVAL
    assert refusal.value.reason.startswith(f'setting key "net.ipv4.vs.{name}": Invalid argument')


def test_a_refusal_tells_what_is_taken_and_from_where_to_where() -> None:
    for name, text, taken in (
        ("lblc_expiration", "99999999999", "a number of seconds from 0 to 21474836"),
        ("am_droprate", "9999999999", "a number from -2147483648 to 2147483647"),
        ("sync_qlen_max", "-1", "a number from 0 to 2147483647"),
        ("sync_ports", "3", "a power of two from 1 to 1073741824"),
        ("sync_threshold", "5 3", "two numbers from 0 to 2147483647, the first less than the second, or the second 0"),
    ):
        with pytest.raises(TableError) as refusal:
            SYSCTLS[name].parse(text)
        assert refusal.value.reason.endswith(f"(it takes {taken})")


@pytest.mark.parametrize("word", ["drop_entry", "net.ipv4.vs.drop_entry", "net/ipv4/vs/drop_entry"])
def test_a_name_may_stand_bare_or_with_its_directory(word: str) -> None:
    assert name_of(word) == "drop_entry"
    assert assignment(f"{word}=2") == ("drop_entry", 2)


@pytest.mark.parametrize("word", ["foo", "net.ipv4.vs.foo", "net.ipv4.ip_forward"])
def test_a_name_that_is_none_is_enoent(word: str) -> None:
    with pytest.raises(TableError) as refusal:
        name_of(word)
    assert refusal.value.errno == errno.ENOENT


@pytest.mark.parametrize("word", ["flood_defence", "net.directrix.flood_defence", "net/directrix/flood_defence"])
def test_what_only_our_table_has_stands_in_a_directory_of_its_own(word: str) -> None:
    assert assignment(f"{word}=3") == ("flood_defence", 3)
    assert SYSCTLS["flood_defence"].full_name == "net.directrix.flood_defence"
    assert "flood_defence" not in OF_IPVS
    for foreign in ("net.ipv4.vs.flood_defence", "net.directrix.drop_entry"):
        with pytest.raises(TableError):
            name_of(foreign)


def test_a_mapping_is_checked_as_a_whole() -> None:
    check(DEFAULTS)
    for bad in ({"foo": 1}, {"drop_entry": 4}, {"drop_entry": (1, 2)}, {"sync_threshold": 3}):
        with pytest.raises(TableError):
            check({"sloppy_tcp": 1} | bad)


FILE = """\
# a file of sysctl(8)
net.ipv4.ip_forward = 1
; another comment

net.ipv4.vs.conn_reuse_mode=2
 net/ipv4/vs/drop_entry =  3
-net.ipv4.vs.no_such_thing = 1
-net.ipv4.vs.secure_tcp = 9
drop_packet = 3
nonsense
net.ipv4.vs.sync_threshold = 5 9
net.ipv4.vs.drop_entry = 1
net.directrix.flood_defence = 0
"""


def test_a_file_sets_what_is_ours_and_leaves_the_rest_alone() -> None:
    read = read_file(FILE, "x.conf")
    assert read.values == {
        "conn_reuse_mode": 2,
        "drop_entry": 1,
        "sync_threshold": (5, 9),
        "flood_defence": 0,
    }
    assert read.others == [(2, "net.ipv4.ip_forward = 1"), (9, "drop_packet = 3"), (10, "nonsense")]


@pytest.mark.parametrize("line", ["net.ipv4.vs.drop_entry = 4", "net.ipv4.vs.foo = 1", "net.ipv4.vs.drop_entry"])
def test_a_faulty_line_of_ours_is_refused_with_file_and_line(line: str) -> None:
    with pytest.raises(TableError, match=r"x\.conf\(2\): "):
        read_file(f"\n{line}\n", "x.conf")
