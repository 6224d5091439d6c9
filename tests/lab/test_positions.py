"""Where keys and values of a TOML text stand."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.lab.positions import Place, positions


def test_a_key_and_its_value_are_found() -> None:
    found = positions('a = 1\n  "b c"  =  "x"\n')
    assert found["a",].key == Place(1, 1)
    assert found["a",].value == Place(1, 5)
    assert found["b c",].key == Place(2, 3)
    assert found["b c",].value == Place(2, 13)


def test_a_dotted_key_mentions_each_of_its_tables() -> None:
    found = positions("one.two . three = 3\n")
    assert found["one",].key == Place(1, 1)
    assert found["one", "two"].key == Place(1, 5)
    assert found["one", "two", "three"].key == Place(1, 11)


def test_headers_lead_to_their_tables() -> None:
    found = positions("[ a . b ]\nc = 1\n[d]\ne = 2\n")
    assert found["a", "b"].key == Place(1, 7)
    assert found["a", "b", "c"].key == Place(2, 1)
    assert found["d", "e"].value == Place(4, 5)


def test_the_first_mention_of_a_table_counts() -> None:
    found = positions("[a.b]\n[a]\n")
    assert found["a",].key == Place(1, 2)


def test_elements_of_arrays_are_found_across_lines_comments_and_commas() -> None:
    found = positions('a = [ 1, # [not, this]\n  "]", [2,\n3],\n]\nb = 1\n')
    assert found["a", 0].value == Place(1, 7)
    assert found["a", 1].value == Place(2, 3)
    assert found["a", 2].value == Place(2, 8)
    assert found["a", 2, 1].value == Place(3, 1)
    assert found["b",].key == Place(5, 1)


def test_inline_tables_are_walked_into() -> None:
    found = positions('a = { b = "}", c.d = [{ e = 1 }] }\n')
    assert found["a", "b"].key == Place(1, 7)
    assert found["a", "c", "d", 0, "e"].value == Place(1, 29)


def test_tables_of_an_array_of_tables_are_counted() -> None:
    found = positions("[[t]]\na = 1\n[[t]]\na = 2\n[t.u]\nb = 3\n")
    assert found["t", 0, "a"].key == Place(2, 1)
    assert found["t", 1, "a"].key == Place(4, 1)
    assert found["t", 1, "u", "b"].key == Place(6, 1)


@pytest.mark.parametrize(
    "value",
    [
        '"a \\" = ] }"',
        "'a \\'",
        '"""two " quotes "" inside\n and \\""" lines"""',
        '"""ends with quotes"""""',
        "'''a ''\nb'''",
        "''''x'''''",
        "1979-05-27 07:32:00",
        "-1_000.5e+3",
        "true",
        '""',
        '""""""',
        "[]",
        "{}",
    ],
)
def test_what_follows_a_value_is_found_whatever_the_value_is(value: str) -> None:
    text = f"a = {value} # comment = 1\nb = 2\n"
    tomllib.loads(text)
    assert positions(text)["b",].key == Place(text.count("\n"), 1)


def test_lines_may_end_as_in_windows() -> None:
    assert positions("a = 1\r\nb = 2\r\n")["b",].key == Place(2, 1)


_scalars = st.one_of(
    st.integers(), st.booleans(), st.text("ab]}#,='\"\\\n\t é", max_size=8), st.floats(allow_nan=False)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab.# \"'", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def _quote(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _quote(value)
        case list():
            return "[" + " , ".join(map(_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{_quote(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


@given(st.dictionaries(st.text("ab-", min_size=1, max_size=4), _values, max_size=4))
def test_reading_a_value_alone_from_where_it_stands_gives_that_value(document: dict[str, object]) -> None:
    text = "".join(f"{_quote(key)} = {_toml(value)} # x\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    found = positions(text)
    lines = text.split("\n")
    for key, value in document.items():
        mention = found[key,]
        assert lines[mention.key.line - 1][mention.key.column - 1 :].startswith(_quote(key))
        assert lines[mention.value.line - 1][mention.value.column - 1 :] == f"{_toml(value)} # x"
