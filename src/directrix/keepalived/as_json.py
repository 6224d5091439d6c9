"""Values as what JSON can hold."""

from __future__ import annotations

import enum
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any


def as_json(value: Any) -> Any:
    """A value and all in it, by the names of the fields.

    Blocks of several kinds say which they are in `kind`. Bytes are hexadecimal; flags and numbers of the
    kernel are their names in small letters; what is None stays null.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _kind(value) | {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, enum.Flag):
        return [flag.name.lower() for flag in value if flag.name]
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    return value


def _kind(value: Any) -> dict[str, str]:
    from directrix.keepalived.schema.check_words import CHECKS
    from directrix.keepalived.values import AddressRange, GroupMark
    from directrix.keepalived.words import Section

    if isinstance(value, AddressRange | GroupMark):
        return {}
    for keyword in CHECKS:
        if not keyword.unused and isinstance(keyword.kind, Section) and keyword.kind.makes(value):
            return {"kind": keyword.name}
    return {}
