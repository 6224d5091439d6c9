"""PCRE2 by way of the system's library: the language, its options, its bounds."""

from __future__ import annotations

import pytest

from directrix.checks.pcre import OPTIONS, Regex, RegexError


@pytest.mark.parametrize(
    ("pattern", "options", "subject", "found"),
    [
        ("b+", "", b"aabb", True),
        ("^b", "", b"a\nb", False),
        ("^b", "multiline", b"a\nb", True),
        ("a.b", "", b"a\nb", False),
        ("a.b", "dotall", b"a\nb", True),
        ("A b", "caseless extended", b"ab", True),
        ("a$", "", b"a\n", True),
        ("a$", "dollar_endonly", b"a\n", False),
        ("b", "firstline", b"a\nb", False),
        ("[[:digit:]]{3}\\K x", "", b"123 x", True),
        ("^(\\((?:[^()]|(?1))*\\))$", "", b"(a(b)(c))", True),
        ("^\\W$", "utf", "ß".encode(), True),
        ("^\\W$", "utf ucp", "ß".encode(), False),
        ("a\0b", "", b"a\0b", True),
    ],
)
def test_patterns_mean_what_they_mean_in_pcre(pattern: str, options: str, subject: bytes, found: bool) -> None:
    assert Regex(pattern, options.split()).found_in(subject) is found


def test_a_match_must_begin_between_the_offsets() -> None:
    regex = Regex("x")
    subject = b"..x..x.."
    assert [regex.found_in(subject, first, last) for first, last in [(0, 1), (0, 2), (3, 4), (3, 5), (6, None)]] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert not regex.found_in(b"", 5)


def test_every_option_of_keepalived_is_taken() -> None:
    for option in OPTIONS:
        Regex("a", [option])


@pytest.mark.parametrize(
    ("pattern", "options", "words"),
    [
        ("a(b", [], "at offset 3: missing closing parenthesis"),
        ("a", ["case_less"], "no regex option 'case_less'; there are allow_empty_class"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_place(pattern: str, options: list[str], words: str) -> None:
    with pytest.raises(RegexError, match=r"offset|option") as refused:
        Regex(pattern, options)
    assert words in str(refused.value)


def test_matching_is_bounded() -> None:
    with pytest.raises(RegexError, match="takes too much steps"):
        Regex("(a+a+)+[bc]").found_in(b"a" * 5000)


def test_a_subject_that_is_no_text_is_told_apart() -> None:
    with pytest.raises(RegexError, match="UTF-8"):
        Regex("a", ["utf"]).found_in(b"\xff")
