"""Words become the rule they describe, or a fault that says what is wrong and where."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_names import KnownNames

from directrix.lvs import MarkMatch, MarkRule, Protocol
from directrix.lvs.mark import Network
from directrix.marks.words import BadWords, cut, read_match, read_rule
from directrix.marks.writing import saved

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP


def rule(line: str) -> MarkRule:
    """What a line says."""
    return read_rule(cut(line), KnownNames())


@pytest.mark.parametrize(
    ("words", "network", "protocol", "first", "last"),
    [
        ("-t 10.0.0.1:80", "10.0.0.1", TCP, 80, 80),
        ("--tcp-service 10.0.0.1:80-443", "10.0.0.1", TCP, 80, 443),
        ("--tcp-service=10.0.0.1:80", "10.0.0.1", TCP, 80, 80),
        ("-u 10.0.0.0/24:53", "10.0.0.0/24", UDP, 53, 53),
        ("--sctp-service 10.0.0.1:36412", "10.0.0.1", SCTP, 36412, 36412),
        ("-t 0.0.0.0/0:80", "0.0.0.0/0", TCP, 80, 80),
        ("-t 10.0.0.1", "10.0.0.1", TCP, 0, 65535),
        ("-t 10.0.0.1:0", "10.0.0.1", TCP, 0, 65535),
        ("-t 10.0.0.1:0-9", "10.0.0.1", TCP, 0, 9),
        ("-t 10.0.0.1:65535-65535", "10.0.0.1", TCP, 65535, 65535),
        ("-t [fd00::1]:80", "fd00::1", TCP, 80, 80),
        ("-t [fd00::1]", "fd00::1", TCP, 0, 65535),
        ("-t [fd00::]/64:80-81", "fd00::/64", TCP, 80, 81),
        ("-u [fd00::/64]:53", "fd00::/64", UDP, 53, 53),
        ("-t [::]/0:80", "::/0", TCP, 80, 80),
        ("-t www:http", "192.0.2.80", TCP, 80, 80),
        ("-t 10.0.0.1:http-https", "10.0.0.1", TCP, 80, 443),
        ("-t 10.0.0.1:http-alt", "10.0.0.1", TCP, 8080, 8080),
        ("--proto all --destination 10.0.0.0/8", "10.0.0.0/8", None, 0, 65535),
        ("--proto udp --destination fd00::/64 --dport 53", "fd00::/64", UDP, 53, 53),
        ("--proto tcp --destination [fd00::1] --dport 80-90", "fd00::1", TCP, 80, 90),
        ("--dport=domain --destination www --proto=all", "192.0.2.80", None, 53, 53),
    ],
)
def test_words_say_which_packets(words: str, network: str, protocol: Protocol, first: int, last: int) -> None:
    assert rule(f"{words} --mark 5") == MarkRule(MarkMatch(ip_network(network), protocol, first, last), 5)


@pytest.mark.parametrize(("text", "mark"), [("1", 1), ("4294967295", 0xFFFFFFFF), ("010", 10), ("0x1F", 31)])
def test_a_mark_is_decimal_or_hexadecimal(text: str, mark: int) -> None:
    assert rule(f"-t 10.0.0.1:80 --mark {text}").mark == mark


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("-t 10.0.0.1:80", 0, "which mark"),
        ("--mark 5", 0, "which packets"),
        ("-t 10.0.0.1:80 --mark 0", 23, "0 means no mark"),
        ("-t 10.0.0.1:80 --mark 4294967296", 23, "1 to 4294967295"),
        ("-t 10.0.0.1:80 --mark five", 23, "a number"),
        ("-t 10.0.0.1:80 --mark -1", 23, "a number"),
        ("-t 10.0.0.1:80 --mark=x", 23, "a number"),
        ("-t 10.0.0.1:90-80 --mark 5", 4, "reversed; write 80-90"),
        ("-t 10.0.0.1:80-http-https --mark 5", 4, "is no port"),
        ("-t 10.0.0.1:65536 --mark 5", 4, "0 to 65535"),
        ("-t 10.0.0.1: --mark 5", 4, "is no port"),
        ("-t 10.0.0.1:80- --mark 5", 4, "is no port"),
        ("-t 10.0.0.1:nonsense --mark 5", 4, "'nonsense' is no port"),
        ("-t 10.0.0.5/24:80 --mark 5", 4, r"has bits behind the prefix; the network is 10\.0\.0\.0/24"),
        ("--proto all --destination fd00::1/64 --mark 5", 27, "the network is fd00::/64"),
        ("-t 10.0.0.0/33:80 --mark 5", 4, "/0 to /32, not /33"),
        ("-t 10.0.0.0/:80 --mark 5", 4, "/0 to /32, not /"),
        ("-t 10.0.0.0/x:80 --mark 5", 4, "not /x"),
        ("-t [fd00::]/129:80 --mark 5", 4, "/0 to /128"),
        ("-t fd00::1:80 --mark 5", 4, "stands in brackets"),
        ("-t nobody:80 --mark 5", 4, "'nobody' is no address and no known host"),
        ("-t 10.0.0.256:80 --mark 5", 4, "is no address"),
        ("-t [nobody]:80 --mark 5", 4, "is no address"),
        ("-t 10.0.0.1:80 -u 10.0.0.1:80 --mark 5", 19, "can't go together"),
        ("-t 10.0.0.1:80 --dport 81 --mark 5", 24, "can't go with --tcp-service"),
        ("-t 10.0.0.1:80 --tcp-service 10.0.0.1:81 --mark 5", 30, "given twice"),
        ("--proto tcp --mark 5", 9, "needs --destination"),
        ("--destination 10.0.0.1 --mark 5", 15, "needs --proto"),
        ("--dport 80 --mark 5", 9, "needs --destination"),
        ("--proto icmp --destination 10.0.0.1 --mark 5", 9, "tcp, udp, sctp or all"),
        ("  -t 10.0.0.1:80 weight --mark 5", 18, "'weight' is no word of a mark rule"),
        ("-t 10.0.0.1:80 --mark", 16, "needs a value"),
        ("-t=10.0.0.1:80 --mark 5", 1, "is no word"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(line: str, column: int, said: str) -> None:
    with pytest.raises(BadWords, match=said) as caught:
        rule(line)
    assert caught.value.column == column


def test_a_match_needs_no_mark() -> None:
    assert read_match(cut("-t 10.0.0.1:80"), KnownNames()) == MarkMatch(ip_network("10.0.0.1"), TCP, 80, 80)


def networks() -> st.SearchStrategy[Network]:
    """Any network there is."""
    four = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32))
    six = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128))
    return st.one_of(
        four.map(lambda pair: ip_network((IPv4Address(pair[0]), pair[1]), strict=False)),
        six.map(lambda pair: ip_network(pair, strict=False)),
    )


@given(
    networks(),
    st.sampled_from([None, *Protocol]),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted).filter(lambda ports: ports != [0, 0]),
    st.integers(1, 0xFFFFFFFF),
)
def test_what_is_saved_is_read_again(network: Network, protocol: Protocol | None, ports: list[int], mark: int) -> None:
    wanted = MarkRule(MarkMatch(network, protocol, *ports), mark)
    (line,) = saved([wanted])
    assert rule(line) == wanted
