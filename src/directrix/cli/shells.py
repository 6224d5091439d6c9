"""Completion scripts: the same tree of words, told to bash, zsh and fish.

Each script finds out at which command the line is (`at`: the words of its path), then completes the
argument of the option before the cursor, or else what can follow the command. A script runs nothing
but its shell.
"""

from __future__ import annotations

from collections.abc import Iterator

from directrix.cli.grammar import Argument, Command, Kind, Option

INTERFACES = "ls /sys/class/net"


def quoted(text: str) -> str:
    """In single quotes, as bash and zsh read them."""
    return "'" + text.replace("'", "'\\''") + "'"


def _paths(tree: Command) -> str:
    """The shell pattern that matches every command below `directrix` itself."""
    return " | ".join(quoted(" ".join(command.path)) for command in tree.walk() if len(command.path) > 1)


def _with_arguments(tree: Command) -> Iterator[tuple[str, Argument]]:
    """The pattern of each option that takes an argument, its command's path before it."""
    for command in tree.walk():
        at = " ".join(command.path)
        for option in command.options:
            if option.argument is not None:
                yield " | ".join(quoted(f"{at} {spelling}") for spelling in option.spellings), option.argument


def _spellings(command: Command) -> list[str]:
    return [spelling for option in command.options for spelling in option.spellings]


def bash(tree: Command) -> str:
    """The script for bash."""
    lines = [
        "# bash completion for directrix",
        "_directrix() {",
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} at=directrix word",
        "    COMPREPLY=()",
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        '        case "$at $word" in',
        f'            {_paths(tree)}) at+=" $word" ;;',
        "        esac",
        "    done",
        '    case "$at $previous" in',
        *(f"        {pattern}) {_bash_argument(argument)}; return ;;" for pattern, argument in _with_arguments(tree)),
        "    esac",
        '    case "$at" in',
    ]
    for command in tree.walk():
        lines += [f"        {quoted(' '.join(command.path))})", *_bash_follows(command), "            ;;"]
    return "\n".join([*lines, "    esac", "}", "complete -o filenames -F _directrix directrix", ""])


def _bash_follows(command: Command) -> Iterator[str]:
    options = _bash_words(quoted(" ".join(_spellings(command))))
    if command.commands:
        others = _bash_words(quoted(" ".join(below.path[-1] for below in command.commands)))
    elif command.operand is not None:
        others = _bash_argument(command.operand)
    else:
        yield f"            {options}"
        return
    yield f"            if [[ $current == -* ]]; then {options}"
    yield f"            else {others}"
    yield "            fi"


def _bash_words(words: str, more: str = "") -> str:
    return f'mapfile -t COMPREPLY < <(compgen {more}-W {words} -- "$current")'


def _bash_argument(argument: Argument) -> str:
    if argument.kind is Kind.UNKNOWN:
        return ":"
    if argument.kind is Kind.INTERFACE:
        return _bash_words(f'"$({INTERFACES})"')
    return _bash_words(quoted(" ".join(argument.words)), "-f " if argument.kind is Kind.FILE else "")


def zsh(tree: Command) -> str:
    """The script for zsh: to be sourced, or to stand in a directory of $fpath as _directrix."""
    lines = [
        "#compdef directrix",
        "_directrix() {",
        "    local at=directrix word",
        "    local -a entries",
        '    for word in "${(@)words[2,CURRENT-1]}"; do',
        '        case "$at $word" in',
        f'            ({_paths(tree)}) at+=" $word" ;;',
        "        esac",
        "    done",
        '    case "$at ${words[CURRENT-1]}" in',
        *(f"        ({pattern}) {_zsh_argument(argument)}; return ;;" for pattern, argument in _with_arguments(tree)),
        "    esac",
        '    case "$at" in',
    ]
    for command in tree.walk():
        lines += [f"        ({quoted(' '.join(command.path))})", *_zsh_follows(command), "            ;;"]
    return "\n".join(
        [
            *lines,
            "    esac",
            "}",
            "if [[ $funcstack[1] == _directrix ]]; then",
            '    _directrix "$@"',
            "else",
            "    compdef _directrix directrix",
            "fi",
            "",
        ]
    )


def _zsh_follows(command: Command) -> Iterator[str]:
    pairs = [(spelling, option.help) for option in command.options for spelling in option.spellings]
    options = f"entries=({_zsh_entries(pairs)}); _describe -o option entries"
    if command.commands:
        others = (
            f"entries=({_zsh_entries([(c.path[-1], c.help) for c in command.commands])}); _describe command entries"
        )
    elif command.operand is not None:
        others = _zsh_argument(command.operand)
    else:
        yield f"            {options}"
        return
    yield f"            if [[ $PREFIX == -* ]]; then {options}"
    yield f"            else {others}"
    yield "            fi"


def _zsh_entries(pairs: list[tuple[str, str]]) -> str:
    return " ".join(quoted(word.replace(":", "\\:") + (f":{text}" if text else "")) for word, text in pairs)


def _zsh_argument(argument: Argument) -> str:
    words = f"entries=({' '.join(map(quoted, argument.words))}); _describe argument entries"
    return {
        Kind.UNKNOWN: "_message argument",
        Kind.INTERFACE: f"entries=($({INTERFACES})); _describe interface entries",
        Kind.WORD: words,
        Kind.FILE: f"{words}; _files" if argument.words else "_files",
    }[argument.kind]


def fish(tree: Command) -> str:
    """The script for fish."""
    lines = [
        "# fish completion for directrix",
        "function __directrix_at",
        "    set -l at directrix",
        "    set -l given (commandline -opc)",
        "    set -e given[1]",
        "    for word in $given",
        '        switch "$at $word"',
        f"            case {_paths(tree).replace(' | ', ' ')}",
        '                set at "$at $word"',
        "        end",
        "    end",
        '    test "$at" = "$argv"',
        "end",
        "complete -c directrix -f",
    ]
    for command in tree.walk():
        start = f"complete -c directrix -n {_fish_quoted('__directrix_at ' + ' '.join(command.path))}"
        lines += [f"{start} -a {_fish_quoted(below.path[-1])}{_fish_help(below.help)}" for below in command.commands]
        lines += [f"{start} {_fish_option(option)}" for option in command.options]
        if command.operand is not None and not command.commands:
            lines.append(f"{start} {_fish_argument(command.operand)}")
    return "\n".join([*lines, ""])


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_help(text: str) -> str:
    return f" -d {_fish_quoted(text)}" if text else ""


def _fish_option(option: Option) -> str:
    spelt = " ".join(f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.spellings)
    argument = f" -r {_fish_argument(option.argument)}" if option.argument is not None else ""
    return f"{spelt}{argument}{_fish_help(option.help)}"


def _fish_argument(argument: Argument) -> str:
    words = f" -a {_fish_quoted(' '.join(argument.words))}" if argument.words else ""
    return {
        Kind.UNKNOWN: "-f",
        Kind.INTERFACE: f"-f -a '({INTERFACES})'",
        Kind.WORD: f"-f{words}",
        Kind.FILE: f"-F{words}",
    }[argument.kind]


SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}
"""The shells there are scripts for."""
