"""The global definitions."""

from __future__ import annotations

from typing import Any

from directrix.keepalived.inheritance import of_globals
from directrix.keepalived.parts import make
from directrix.keepalived.reading import Reading
from directrix.keepalived.values import GlobalDefinitions

_FIFOS = ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo")


def build_globals(top: Reading) -> GlobalDefinitions:
    """`global_defs`, and the global words outside of it."""
    block = top.given.get("globals")
    given: dict[str, Any] = block.values() if isinstance(block, Reading) else {}
    if isinstance(block, Reading):
        _check(block)
    for name, value in top.values().items():
        if name.startswith("globals."):
            given[name.removeprefix("globals.")] = value
    return make(GlobalDefinitions, of_globals(given) | given)


def _check(block: Reading) -> None:
    given = block.given
    for name in _FIFOS:
        if f"{name}.script" in given and f"{name}.path" not in given:
            block.error(f"{name}_script reads {name}, which is not there", f"{name}.script")
    paths = [given[f"{name}.path"] for name in _FIFOS if f"{name}.path" in given]
    if len(set(paths)) < len(paths):
        block.error("each named pipe must have a path of its own", f"{_FIFOS[-1]}.path")
    for name in ("mail.user", "mail.password"):
        if name in given and not {"mail.user", "mail.password"} <= given.keys():
            block.error("logging in to the mail server takes both smtp_user and smtp_password", name)
