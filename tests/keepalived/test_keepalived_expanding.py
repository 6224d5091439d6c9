"""Comments, conditions, parameters, repetitions, includes; and where every line stood."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from directrix.keepalived.expanding import Expander
from directrix.keepalived.faults import Faults
from directrix.keepalived.files import Disk, InMemory, alternatives
from directrix.keepalived.lines import Line


def expand(text: str, config_id: str = "main", **others: str) -> tuple[list[Line], Faults]:
    """The lines of a text with something in them; `others` are further files, `__` in their names a slash."""
    faults = Faults()
    files = {"top.conf": text} | {name.replace("__", "/") + ".conf": content for name, content in others.items()}
    expander = Expander(InMemory({name: content.encode() for name, content in files.items()}), config_id, faults)
    return [line for line in expander.lines("top.conf") if line.text.strip()], faults


def words(text: str, config_id: str = "main", **others: str) -> list[str]:
    lines, faults = expand(text, config_id, **others)
    assert faults.all == ()
    return [" ".join(line.text.split()) for line in lines]


def faults_of(text: str, **others: str) -> list[str]:
    return list(map(str, expand(text, **others)[1].all))


def test_comments_begin_anywhere_but_in_double_quotes() -> None:
    assert words('a b # c\nx "#!" y!z\n! all\n# of it\nc') == ["a b", 'x "#!" y', "c"]


def test_a_line_is_kept_only_for_its_configuration_id() -> None:
    text = "@main a\n@other b\n@^main c\n@^other d\n  @main @^other e\n"
    assert words(text) == ["a", "d", "e"]
    assert words(text, "other") == ["b", "c"]


def test_a_parameter_is_replaced_by_its_value_at_that_time_and_recursively() -> None:
    assert words(
        textwrap.dedent("""
        $BASE=10.2.${SUB}
        $SUB=0
        ${BASE}.100/32
        $SUB=10
        ${BASE}.100/32 $SUB end
        """)
    ) == ["10.2.0.100/32", "10.2.10.100/32 10 end"]


def test_without_braces_a_parameter_needs_a_blank_behind_it_and_unknown_ones_stay() -> None:
    assert words("$A=1\nx $A.2 ${A}.2 $B ${B} $A") == ["x $A.2 1.2 $B ${B} 1"]


def test_a_definition_may_be_empty_conditional_or_the_condition_itself() -> None:
    assert words("$E=\na $E b\n@main $P=1\n@other $P=2\np $P\n$IF=@main\n$IF yes\n$NOT=@other\n$NOT no") == [
        "a b",
        "p 1",
        "yes",
    ]


def test_a_definition_of_several_lines_puts_all_of_them_where_it_is_used() -> None:
    lines, faults = expand(
        textwrap.dedent("""\
        $RS= \\
        real_server 10.0.0.${N} 80 { \\
            weight 1 \\ # a comment
            @other alpha \\
        }
        before
        $N=7
        x $RS y
        """)
    )
    assert faults.all == ()
    assert [line.text.strip() for line in lines] == ["before", "x real_server 10.0.0.7 80 {", "weight 1", "} y"]
    weight = lines[2].place(4)
    assert str(weight) == "top.conf:3:5"
    assert weight.trail == ", used at top.conf:8:3"


def test_definitions_inside_definitions_count_as_they_are_used() -> None:
    assert words("$RS=server ${N}\n$VS= \\\n vs { \\\n $N=1 \\\n $RS \\\n $N=2 \\\n $RS \\\n }\n$VS\n") == [
        "vs {",
        "server 1",
        "server 2",
        "}",
    ]


def test_predefined_parameters() -> None:
    assert words("${_INSTANCE} ${_HASH}${_BANG} ${_RANDOM 5 5}", "me") == ["me #! 5"]
    assert words("include a/b.conf", a__b="${_PWD}") == ["a"]
    seeded = "random_seed 7\n${_RANDOM} ${_RANDOM 1 1000}"
    assert words(seeded) == words(seeded)
    assert 1 <= int(words(seeded)[1].split()[1]) <= 1000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("~SEQ(N, 0, 3) 10.0.${N}.1", ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1"]),
        ("~SEQ(N, 2) n$N ${N}", ["n1 1", "n2 2"]),
        ("~SEQ(N, -2) ${N}", ["-1", "-2"]),
        ("~SEQ(N, 1, 2, 6) ${N}", ["1", "3", "5"]),
        ("~SEQ(N, 5, 4) ${N}", ["5", "4"]),
        ("~SEQx(N, 0x90, 0x10, 0xc0) ::${N}", ["::90", "::a0", "::b0", "::c0"]),
        ("~SEQ(A, 2) ~SEQ(B, 2) ${A}.${B}", ["1.1", "1.2", "2.1", "2.2"]),
        ("~LST(A, 7, 8,  9) ${A}", ["7", "8", "9"]),
        ("~LST({A, B}, {10,1},{20, 4}) ${A}-${B}", ["10-1", "20-4"]),
        ("~LST(A, x,y) ~SEQ(B, 2) ${A}${B}", ["x1", "x2", "y1", "y2"]),
    ],
)
def test_seq_and_lst_repeat_the_rest_of_their_line(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_a_repetition_can_count_by_a_parameter_and_repeat_a_definition() -> None:
    assert words("$COUNT=2\n$B= \\\n a ${N} \\\n b\n~SEQ(N, ${COUNT}) $B") == ["a 1", "b", "a 2", "b"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("~SEQ(N, 5, 4, 1) x", "counting from 5 by 4 never comes to 1"),
        ("~SEQ(N) x", "write ~SEQ(NAME, START, STEP, END)"),
        ("~SEQ(N, a) x", "whole numbers"),
        ("~SEQ(N, 1, 2", "is never closed"),
        ("~SEQ(N, 1, 9999999) x", "more than 65,536 rounds"),
        ("~LST(N) x", "write ~LST("),
        ("~LST({A,B}, {1}) x", "must have 2 parts"),
    ],
)
def test_a_repetition_that_makes_no_sense_is_told_with_its_place(line: str, reason: str) -> None:
    (fault,) = faults_of(f"\n  {line}")
    assert fault.startswith("top.conf:2:3: error: ")
    assert reason in fault


@pytest.mark.parametrize(
    "text", ["$A=${A}\n$A", "$A=${B}\n$B=${A}\nx $A", "$A=${A} ${A}\n$A", "$A= \\\n x \\\n $A\n$A"]
)
def test_a_parameter_that_stands_for_itself_is_told_of(text: str) -> None:
    (fault,) = faults_of(text)
    assert "error" in fault


def test_files_are_included_from_where_the_file_stands_that_includes_them() -> None:
    assert words("include d/a.conf\nend", d__a="a\ninclude b.conf\n", d__b="b") == ["a", "b", "end"]


def test_patterns_and_braces_include_all_that_fits_in_order() -> None:
    assert words("include d/*.conf", d__b="b", d__a="a", e="e") == ["a", "b"]
    assert words("include {d/b,e}.conf", d__b="b", e="e") == ["b", "e"]
    assert set(alternatives("a{b,{c,d}e,}f")) == {"abf", "acef", "adef", "af"}


def test_an_include_can_be_conditional_and_have_parameters() -> None:
    assert words("$D=d\n@main include ${D}/a.conf\n@other include d/b.conf", d__a="a", d__b="b") == ["a"]


def test_a_place_in_an_included_file_tells_where_it_was_included() -> None:
    lines, _ = expand("\n include d/a.conf", d__a="x\ny\n")
    assert str(lines[1].place(0)) == "d/a.conf:2:1"
    assert lines[1].place(0).trail == ", included at top.conf:2:2"


def test_a_missing_file_is_a_warning_for_include_and_a_mistake_for_its_strict_kinds() -> None:
    assert faults_of("include a.conf") == ["top.conf:1:1: warning: a.conf can't be included: No such file or directory"]
    assert faults_of("include *.nothing") == []
    assert faults_of("includer a.conf") == ["top.conf:1:1: error: a.conf can't be included: No such file or directory"]
    assert faults_of("includea *.nothing") == ["top.conf:1:1: error: no file fits *.nothing"]
    assert faults_of("includew *.nothing") == ["top.conf:1:1: error: no file fits *.nothing"]
    assert faults_of("include_check match\ninclude a.conf")[0].startswith("top.conf:2:1: error")
    assert faults_of("include_check foo")[0].startswith("top.conf:1:15: error: 'foo' is no check of include files")


def test_a_file_that_includes_itself_is_told_of() -> None:
    assert faults_of("include a.conf", a="x\ninclude b.conf", b="include a.conf") == [
        "b.conf:1:1: error: a.conf includes itself (included at a.conf:2:1, included at top.conf:1:1)"
    ]


def test_what_include_check_says_ends_with_its_file() -> None:
    assert [
        fault.split(": ")[1]
        for fault in faults_of("include a.conf\ninclude no.conf", a="include_check\ninclude no.conf")
    ] == ["error", "warning"]


def test_files_of_the_machine_are_included_by_links_patterns_and_other_directories(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("a\ninclude ../loop.conf\n")
    (tmp_path / "conf.d" / "sub").mkdir()
    (tmp_path / "top.conf").write_text("include conf.d/*\n")
    os.symlink("top.conf", tmp_path / "loop.conf")
    faults = Faults()
    lines = [line.text for line in Expander(Disk(), "x", faults).lines(str(tmp_path / "top.conf"))]
    assert [line for line in lines if line] == ["a"]
    assert ["includes itself" in str(fault) for fault in faults.all] == [True]


def test_bytes_that_are_no_utf_8_and_line_ends_of_other_systems_do_no_harm() -> None:
    faults = Faults()
    lines = list(Expander(InMemory({"x": b"\xef\xbb\xbfa\r\nb \xff\r\n"}), "", faults).lines("x"))
    assert [line.text for line in lines][:2] == ["a", "b \udcff"]
