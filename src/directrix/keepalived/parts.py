"""Values with parts: how fields with dots in their names, as the schema has them, become values, and back.

`garp.master_delay` is the field `master_delay` of the part `garp`. A part that is None by default is
there as soon as one of its fields is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from directrix.keepalived.values import (
    Authentication,
    Configuration,
    Fifo,
    GlobalDefinitions,
    GratuitousArp,
    Mail,
    MiscCheck,
    Notify,
    Script,
    SorryServer,
    SyncGroup,
    VirtualServer,
    VrrpInstance,
    VrrpScript,
)

_PARTS: Mapping[type, Mapping[str, type]] = {
    Configuration: {"globals": GlobalDefinitions},
    GlobalDefinitions: {
        "garp": GratuitousArp,
        "mail": Mail,
        "notify_fifo": Fifo,
        "vrrp_notify_fifo": Fifo,
        "lvs_notify_fifo": Fifo,
    },
    MiscCheck: {"misc_path": Script},
    SyncGroup: {"notify": Notify},
    VirtualServer: {"sorry_server": SorryServer},
    VrrpInstance: {"authentication": Authentication, "garp": GratuitousArp, "notify": Notify},
    VrrpScript: {"script": Script},
}
"""The parts of each class, by the field they stand in."""

_NEEDED: Mapping[str, str] = {
    "authentication": "type",
    "sorry_server": "address",
    "notify_fifo": "path",
    "vrrp_notify_fifo": "path",
    "lvs_notify_fifo": "path",
}
"""Of parts that may be None: the field without which there is no such part."""

_DEFAULTS: dict[type, dict[str, Any]] = {}

T = TypeVar("T")


def make(cls: type[T], values: Mapping[str, Any]) -> T:
    """A value from its fields and those of its parts."""
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        part, dot, inner = name.partition(".")
        if dot:
            parts.setdefault(part, {})[inner] = value
        else:
            own[name] = value
    known = _PARTS.get(cls, {})
    for part, inside in parts.items():
        if part not in own and (part not in _NEEDED or inside.get(_NEEDED[part]) is not None):
            own[part] = make(known[part], inside)
    return cls(**own)


def defaults(cls: type) -> dict[str, Any]:
    """What each field of a class, and of its parts, is by default; fields without a default are left out."""
    if cls not in _DEFAULTS:
        _DEFAULTS[cls] = _defaults(cls)
    return dict(_DEFAULTS[cls])


def _defaults(cls: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = _PARTS.get(cls, {})
    for each in fields(cls):
        if each.name in known:
            found |= {f"{each.name}.{name}": value for name, value in defaults(known[each.name]).items()}
            if each.name in _NEEDED:
                found[f"{each.name}.{_NEEDED[each.name]}"] = None
        elif each.default is not MISSING:
            found[each.name] = each.default
        elif each.default_factory is not MISSING:
            found[each.name] = each.default_factory()
    return found


def get(value: Any, name: str) -> Any:
    """A field of a value, or of one of its parts; what it is by default if there is no such part."""
    part, dot, inner = name.partition(".")
    if not dot:
        return getattr(value, name)
    holder = getattr(value, part)
    return defaults(_PARTS[type(value)][part]).get(inner) if holder is None else get(holder, inner)
