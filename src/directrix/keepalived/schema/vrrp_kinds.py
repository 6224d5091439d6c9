"""Kinds of values that only VRRP has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.commands import ScriptKind, read_shell_word
from directrix.keepalived.faults import suggestion
from directrix.keepalived.kinds import Kind, Seconds, Text, decimal, read_address, read_integer
from directrix.keepalived.lines import quoted, shell_quoted
from directrix.keepalived.values import InterfaceDelay, Track, UnicastPeer, VirtualMac


@dataclass(frozen=True)
class Weight(Kind):
    """A weight, and whether its sense is turned round."""

    low: int
    high: int
    fields: tuple[str, ...] = ("weight", "reverse")

    @property
    def syntax(self) -> str:
        return f"<{self.low}..{self.high}> [reverse|noreverse]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        weight = read_integer(arguments, arguments.next("a weight"), self.low, self.high)
        return dict(zip(self.fields, (weight, read_reverse(arguments)), strict=True))

    def write(self, value: Mapping[str, Any]) -> str:
        weight, reverse = (value[field] for field in self.fields)
        return f"{weight} reverse" if reverse else str(weight)


def read_reverse(arguments: Arguments) -> bool:
    """Whether `reverse` comes next, which is then read; `noreverse` and `no_reverse` are read too."""
    if not arguments.left or arguments.left[0].text not in ("reverse", "noreverse", "no_reverse"):
        return False
    return arguments.next("reverse").text == "reverse"


@dataclass(frozen=True)
class TrackLine(Kind):
    """A thing to follow, with a weight of its own or not: then the value's weight is None."""

    low: int
    high: int

    @property
    def syntax(self) -> str:
        return f"<NAME> [weight <{self.low}..{self.high}> [reverse|noreverse]]"

    def read(self, arguments: Arguments) -> tuple[str, int | None, bool]:
        name = arguments.next("a name").text
        weight: int | None = None
        reverse = False
        while (word := arguments.maybe()) is not None:
            if word.text == "weight":
                number = arguments.next("a weight")
                weight = read_integer(arguments, number, self.low, self.high, "a weight is")
            elif word.text in ("reverse", "noreverse", "no_reverse"):
                reverse = word.text == "reverse"
            else:
                near = suggestion(word.text, ("weight", "reverse", "noreverse"))
                raise arguments.wrong(word, f"behind {name!r} stands a weight or nothing, not {word.text!r}{near}")
        return name, weight, reverse

    def write(self, value: Track) -> str:
        return f"{quoted(value.name)} weight {value.weight}" + (" reverse" if value.reverse else "")


_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){4,5}")
RFC_MACS = (bytes.fromhex("00005e0001"), bytes.fromhex("00005e0002"))


class VirtualMacKind(Kind):
    """What `use_vmac` takes: a name, a MAC, both or nothing. Five bytes of MAC are given the VRID later."""

    @property
    def syntax(self) -> str:
        return "[<INTERFACE>] [<MAC>]"

    def read(self, arguments: Arguments) -> VirtualMac:
        interface, mac = "", None
        while arguments.left:
            word = arguments.left[0]
            if _MAC.fullmatch(word.text) and mac is None:
                mac = bytes(int(part, 16) for part in word.text.split(":"))
                if mac[0] & 1 or mac.startswith(RFC_MACS):
                    why = "is a group's" if mac[0] & 1 else "is one of those that RFC 5798 gives out"
                    raise arguments.wrong(word, f"{word.text} can't be a virtual MAC: it {why}")
                arguments.at += 1
            elif not interface:
                interface = Text("an interface", 15).read(arguments)
            else:
                break
        return VirtualMac(interface, mac)

    def write(self, value: VirtualMac) -> str:
        words = [quoted(value.interface)] if value.interface else []
        return " ".join(words if value.mac is None else [*words, value.mac.hex(":")])


class UnicastPeerLine(Kind):
    """A peer, and the TTLs it may have."""

    @property
    def syntax(self) -> str:
        return "<IPADDR> [min_ttl <0-255>] [max_ttl <0-255>]"

    def read(self, arguments: Arguments) -> UnicastPeer:
        address = read_address(arguments, arguments.next("an address"))
        ttls = {"min_ttl": 0, "max_ttl": 255}
        while (word := arguments.maybe()) is not None:
            if word.text not in ttls:
                near = suggestion(word.text, ttls)
                raise arguments.wrong(word, f"behind a peer stands min_ttl or max_ttl, not {word.text!r}{near}")
            ttls[word.text] = read_integer(arguments, arguments.next("a TTL"), 0, 255, f"{word.text} takes")
        return UnicastPeer(address, **ttls)

    def write(self, value: UnicastPeer) -> str:
        words = [str(value.address)]
        words += [] if value.min_ttl == 0 else ["min_ttl", str(value.min_ttl)]
        return " ".join(words if value.max_ttl == 255 else [*words, "max_ttl", str(value.max_ttl)])


class Password(Kind):
    """A password, of which eight bytes count."""

    LONGEST = 8

    @property
    def syntax(self) -> str:
        return "<PASSWORD>"

    def read(self, arguments: Arguments) -> bytes:
        word = arguments.next("a password")
        password = word.text.encode("utf-8", "surrogateescape")
        if len(password) > self.LONGEST:
            arguments.faults.warn(word.place, f"only the first {self.LONGEST} bytes of auth_pass count")
        return password[: self.LONGEST]

    def write(self, value: bytes) -> str:
        return quoted(value.decode("utf-8", "surrogateescape"))


class OldChecksum(Kind):
    """`old_unicast_checksum`: always, or never."""

    @property
    def syntax(self) -> str:
        return "[never]"

    def read(self, arguments: Arguments) -> bool:
        word = arguments.maybe()
        if word is not None and word.text != "never":
            raise arguments.wrong(word, f"old_unicast_checksum takes never or nothing, not {word.text!r}")
        return word is None

    def write(self, value: bool) -> str:
        return "" if value else "never"


@dataclass(frozen=True)
class NotifyDeleted(Kind):
    """`notify_deleted`: tell DELETED, and run a script if one is named."""

    fields: tuple[str, ...] = ("notify.deleted", "notify.deleted_state")

    @property
    def syntax(self) -> str:
        return f"[{ScriptKind().syntax}]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        script = ScriptKind().read(arguments) if arguments.left else None
        return {"notify.deleted": script, "notify.deleted_state": True}

    def write(self, value: Mapping[str, Any]) -> str:
        return "" if value["notify.deleted"] is None else ScriptKind().write(value["notify.deleted"])


@dataclass(frozen=True)
class Process(Kind):
    """A program's name, and the arguments to look for; None for any."""

    fields: tuple[str, ...] = ("process", "arguments")

    @property
    def syntax(self) -> str:
        return "<PROGRAM> [<ARGUMENT>…]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        program, others = read_shell_word(arguments, "a program")
        return {"process": program, "arguments": tuple(others) or None}

    def write(self, value: Mapping[str, Any]) -> str:
        return " ".join(map(shell_quoted, (value["process"], *(value["arguments"] or ()))))


@dataclass(frozen=True)
class InitFile(Kind):
    """`init_file`: a value to begin with, and whether it is written over one that is there."""

    fields: tuple[str, ...] = ("init_value", "overwrite")

    @property
    def syntax(self) -> str:
        return "[<NUMBER>] [overwrite]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        value, overwrite = 0, False
        while (word := arguments.maybe()) is not None:
            if word.text == "overwrite":
                overwrite = True
            else:
                value = read_integer(arguments, word, -(2**31), 2**31 - 1)
        return {"init_value": value, "overwrite": overwrite}

    def write(self, value: Mapping[str, Any]) -> str:
        return f"{value['init_value']} overwrite" if value["overwrite"] else str(value["init_value"])


class InterfaceDelayLine(Kind):
    """An interface and one or two delays."""

    @property
    def syntax(self) -> str:
        return "<INTERFACE> <SECONDS 0-255> [<SECONDS 0-255>]"

    def read(self, arguments: Arguments) -> InterfaceDelay:

        seconds = Seconds(0.0, 255.0)
        interface = Text("an interface", 15).read(arguments)
        down = seconds.read(arguments)
        return InterfaceDelay(interface, down, seconds.read(arguments) if arguments.left else down)

    def write(self, value: InterfaceDelay) -> str:

        return f"{quoted(value.interface)} {decimal(value.down)} {decimal(value.up)}"


@dataclass(frozen=True)
class BothDelays(Kind):
    """`delay` of a tracked process: for both directions."""

    fields: tuple[str, ...] = ("fork_delay", "terminate_delay")

    @property
    def syntax(self) -> str:
        return "<SECONDS>"

    def read(self, arguments: Arguments) -> dict[str, float]:

        seconds = Seconds().read(arguments)
        return dict.fromkeys(self.fields, seconds)

    def write(self, value: Mapping[str, Any]) -> str:
        return decimal(value["fork_delay"])
