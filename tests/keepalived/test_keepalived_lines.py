"""Words: where they end, what quotes and escapes do, and where they stand."""

from __future__ import annotations

import pytest

from directrix.keepalived.lines import Line, Source, Unterminated, quoted, shell_line, shell_quoted, shell_words, tokens

SOURCE = Source("x.conf", "")


def texts(text: str) -> list[str]:
    return [word.text for word in tokens(Line(SOURCE, 1, text))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("weight  5\t6", ["weight", "5", "6"]),
        ("virtual_ipaddress{10.0.0.1}", ["virtual_ipaddress", "{", "10.0.0.1", "}"]),
        ('router_id "a b"', ["router_id", "a b"]),
        ('x "a{b}" c', ["x", "a{b}", "c"]),
        (r'x "a\"b\\c\d"', ["x", r'a"b\c\d']),
        ("auth_pass 'ab", ["auth_pass", "'ab"]),
        ("x ${UNDEFINED}y", ["x", "${UNDEFINED}y"]),
        (r"auth_pass a\#b\!c", ["auth_pass", "a#b!c"]),
        ('x ab"cd"', ["x", "ab", "cd"]),
        ("", []),
    ],
)
def test_words_end_where_keepalived_ends_them(text: str, words: list[str]) -> None:
    assert texts(text) == words


def test_a_quote_that_is_not_closed_is_told_with_its_place_and_the_words_are_there_all_the_same() -> None:
    with pytest.raises(Unterminated) as caught:
        tokens(Line(SOURCE, 1, 'notify "a b {'))
    assert caught.value.offset == 7
    assert [word.text for word in caught.value.words] == ["notify", '"a b', "{"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('/bin/x "a b" c', ["/bin/x", "a b", "c"]),
        ("/bin/x 'a b' c", ["/bin/x", "a b", "c"]),
        ('ab" c "de', ["ab c de"]),
        (r'"\x41\101\n\t\E\cC\q\\"', ["AA\n\t\x1b\x03q\\"]),
        (r"a\ b", ["a b"]),
        ('""', [""]),
    ],
)
def test_words_of_scripts_are_read_as_keepalived_reads_them(text: str, words: list[str]) -> None:
    assert shell_words(text) == words


@pytest.mark.parametrize(
    "text", ["a", "a b", "", "a'b", 'a"b', "a\\b", "a\nb", "{", "}", "$A", "${_PWD}", "#", "!x", "\x7f", "ü€"]
)
def test_what_is_quoted_for_a_script_is_read_back(text: str) -> None:
    assert shell_words(shell_quoted(text)) == [text]
    (word,) = tokens(Line(SOURCE, 1, shell_line(("x", text, "y"))))
    assert shell_words(shell_words(word.raw)[0]) == ["x", text, "y"]


@pytest.mark.parametrize(
    "text", ["a", "a b", "", 'a"b', "a\\b", "a\\", "{", "}", "#", "!x", "@a", "~SEQ(A,1)", "include", "'"]
)
def test_what_is_quoted_is_read_back(text: str) -> None:
    assert texts(quoted(text)) == [text]


def test_a_word_stands_where_it_was_written_also_behind_what_was_replaced() -> None:
    line = Line(SOURCE, 7, "ab ${LONG_NAME} cd").replaced(3, 15, "x y")
    assert [(word.text, str(word.place)) for word in tokens(line)] == [
        ("ab", "x.conf:7:1"),
        ("x", "x.conf:7:4"),
        ("y", "x.conf:7:4"),
        ("cd", "x.conf:7:17"),
    ]
    part = line.part(4)
    assert [(word.text, str(word.place)) for word in tokens(part)] == [("y", "x.conf:7:4"), ("cd", "x.conf:7:17")]
