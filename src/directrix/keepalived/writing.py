"""From values to keepalived.conf: text that reads back to the same values.

What is as it would be anyhow is left out, by the same defaults that reading fills in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from directrix.keepalived.inheritance import (
    of_check,
    of_globals,
    of_group,
    of_host,
    of_instance,
    of_real_server,
    of_sorry_server,
    of_url,
    of_virtual_server,
)
from directrix.keepalived.kinds import Bit, Entries, Kind, Present, Repeat
from directrix.keepalived.parts import defaults, get
from directrix.keepalived.schema.top import TOP
from directrix.keepalived.values import (
    Check,
    Configuration,
    FileCheck,
    GlobalDefinitions,
    RealServer,
    SmtpHost,
    SyncGroup,
    Url,
    VirtualServer,
    VirtualServerGroup,
    VrrpInstance,
)
from directrix.keepalived.words import Block, Header, Keyword, Section
from directrix.lvs.service import default_netmask

INDENT = "    "


def written(configuration: Configuration) -> str:
    """The configuration as keepalived.conf. What it needs of directrix's own is in it, too."""
    lines = list(_Writer(configuration).block(TOP, configuration, "", ()))
    return "\n".join(lines).strip("\n") + "\n" if lines else ""


class _Writer:
    def __init__(self, configuration: Configuration) -> None:
        self._settings = configuration.globals

    def block(self, block: Block, value: Any, indent: str, around: tuple[Any, ...]) -> Iterator[str]:
        """The lines of a block; `around` are the values it stands in, the innermost first."""
        usual = self._usual(value, around)
        done: set[str] = set()
        if block.line is not None:
            yield from (indent + block.line.write(line) for line in _bare_lines(value))
        for keyword in block.keywords:
            names = keyword.fields
            if not names or keyword.shorthand or done.issuperset(names):
                continue
            if isinstance(keyword.kind, Section) and keyword.kind.inline:
                if any(get(value, name) != usual.get(name) for name in names):
                    yield from self._inline(keyword, keyword.kind, value, indent)
            elif isinstance(keyword.kind, Section):
                yield from self._sections(block, keyword, value, indent, around, usual)
                done.update(names)
            elif _differs(keyword, value, usual):
                yield from _statement(keyword, value, indent)
                if not isinstance(keyword.kind, Bit):
                    done.update(names)

    def _inline(self, keyword: Keyword, section: Section, value: Any, indent: str) -> Iterator[str]:
        yield f"{indent}{keyword.name} {{"
        yield from (line for word in section.block.keywords for line in _statement(word, value, indent + INDENT))
        yield f"{indent}}}"

    def _sections(
        self,
        block: Block,
        keyword: Keyword,
        value: Any,
        indent: str,
        around: tuple[Any, ...],
        usual: Mapping[str, Any],
    ) -> Iterator[str]:
        """The blocks of a field, in their order; each is written by the keyword that makes such values."""
        name = keyword.fields[0]
        inside = get(value, name)
        if name in usual and inside == usual[name]:
            return
        values = inside if isinstance(inside, tuple) else () if inside is None else (inside,)
        same = [each for each in block.keywords if each.fields == (name,) and isinstance(each.kind, Section)]
        for each in values:
            for word in same:
                section = word.kind
                assert isinstance(section, Section)
                if not section.makes(each):
                    continue
                lines = list(self.block(section.block, each, indent + INDENT, (value, *around)))
                if not lines and section.repeat is Repeat.COMBINE and not section.telling:
                    break
                header = f" {_words(section.header, each)}" if section.header else ""
                if not indent:
                    yield ""
                yield f"{indent}{word.name}{header} {{"
                yield from lines
                yield f"{indent}}}"
                break

    def _usual(self, value: Any, around: tuple[Any, ...]) -> Mapping[str, Any]:
        """What the fields of a value are if nothing is said."""
        settings = self._settings
        fields = _Fields(value)
        match value:
            case Configuration():
                return defaults(Configuration)
            case GlobalDefinitions():
                return of_globals(fields)
            case VrrpInstance():
                # state MASTER without a priority means one that surprises people
                return of_instance(settings, fields) | {"priority": None}
            case SyncGroup():
                return of_group(settings)
            case VirtualServer():
                usual = of_virtual_server(settings) | {"netmask": default_netmask(value.family)}
                if value.sorry_server is not None:
                    usual |= of_sorry_server(value.method, value.tunnel)
                # what these are by default surprises people, so they are always written where they mean something
                usual |= {"scheduler": None, "method": None, "protocol": value.protocol if value.fwmark else None}
                return usual | {"family": value.family if value.address is not None else None}
            case RealServer():
                return of_real_server(settings, _Fields(around[0]))
            case Url():
                server = next(each for each in around if isinstance(each, RealServer))
                return of_url(server.virtualhost)
            case SmtpHost():
                return of_host(_Fields(around[0]))
            case FileCheck():
                return {"dynamic": False}
            case Check():
                server, virtual = around[0], around[1]
                vip = {} if virtual.address is None else {"address": virtual.address, "port": virtual.port}
                return of_check(type(value), settings, _Fields(server), fields, vip)
        return defaults(type(value))


class _Fields(dict[str, Any]):
    """The fields of a value, looked up as they are asked for."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, name: str) -> Any:
        return get(self._value, name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


def _differs(keyword: Keyword, value: Any, usual: Mapping[str, Any]) -> bool:
    """Whether a keyword must be written."""
    kind = keyword.kind
    if isinstance(kind, Present):
        name = keyword.fields[0]
        return bool(get(value, name) == kind.value != usual.get(name))
    if isinstance(kind, Bit):
        return bool(get(value, keyword.fields[0]) & kind.flag) and keyword.name.startswith("flag")
    return any(get(value, name) != usual.get(name) for name in keyword.fields)


def _words(keyword: Keyword | Header, value: Any) -> str:
    kind, names = keyword.kind, keyword.fields
    assert isinstance(kind, Kind)
    return kind.write({name: get(value, name) for name in names} if kind.fields else get(value, names[0]))


def _statement(keyword: Keyword, value: Any, indent: str) -> Iterator[str]:
    kind = keyword.kind
    if isinstance(kind, Entries):
        yield f"{indent}{keyword.name} {{"
        yield from (f"{indent}{INDENT}{kind.line.write(line)}" for line in get(value, keyword.fields[0]))
        yield f"{indent}}}"
    else:
        yield f"{indent}{keyword.name} {_words(keyword, value)}".rstrip(" ")


def _bare_lines(value: Any) -> tuple[Any, ...]:
    """The lines of a block that begin with no keyword."""
    return (*value.ranges, *value.marks) if isinstance(value, VirtualServerGroup) else ()
