"""Netlink's framing survives what it made, and takes nothing that is cut off."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.system.netlink import (
    Flag,
    Kind,
    Malformed,
    Message,
    attribute,
    attributes,
    messages,
    nest,
    number,
    read_number,
    read_text,
    request,
    text,
)

ERROR = bytes.fromhex("24000000 0200 0001 07000000 00000000 feffffff 20000000 1c00 0500 07000000 00000000")


def test_a_request_has_netlinks_header_and_that_of_generic_netlink() -> None:
    made = request(0x1C, 11, Flag.DUMP, 7, bytes.fromhex("0800010002000000"))
    assert made.hex(" ", -4) == "1c000000 1c000103 07000000 00000000 0b010000 08000100 02000000"


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=70)))
def test_attributes_are_read_as_they_were_written(values: dict[int, bytes]) -> None:
    written = b"".join(attribute(kind, value) for kind, value in values.items())
    assert len(written) % 4 == 0
    assert attributes(written) == values
    assert attributes(attributes(nest(1, written))[1]) == values


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=5))
def test_messages_of_one_datagram_are_told_apart(contents: list[tuple[int, bytes]]) -> None:
    datagram = b""
    for sequence, (kind, content) in enumerate(contents):
        made = request(kind, 1, Flag.ACK, sequence, content)
        datagram += made.ljust((len(made) + 3) & ~3, b"\0")
    found = list(messages(datagram))
    assert [(message.type, message.sequence, message.payload[4:]) for message in found] == [
        (kind, sequence, content) for sequence, (kind, content) in enumerate(contents)
    ]


def test_the_error_number_of_a_refusal_is_read() -> None:
    (message,) = messages(ERROR)
    assert (message.type, message.sequence, message.error) == (Kind.ERROR, 7, errno.ENOENT)


def test_an_acknowledgement_is_no_error() -> None:
    assert Message(Kind.ERROR, 1, bytes(20)).error == 0


@given(st.integers(1, len(ERROR) - 1))
def test_a_message_cut_off_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        list(messages(ERROR[:length]))


@pytest.mark.parametrize("data", ["0400", "0300010000000000", "0900010061626364"], ids=["header", "too short", "value"])
def test_an_attribute_cut_off_is_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        attributes(bytes.fromhex(data))


@given(st.integers(0, 0xFFFFFFFF))
def test_numbers_are_read_as_they_were_written(value: int) -> None:
    assert read_number(attributes(number(3, value, 4))[3]) == value


@pytest.mark.parametrize("name", ["", "wlc", "schlüssel", "\udcff"])
def test_texts_are_read_as_they_were_written(name: str) -> None:
    assert read_text(attributes(text(6, name))[6]) == name
