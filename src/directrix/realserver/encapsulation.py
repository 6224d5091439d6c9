"""How packets for a VIP come through a tunnel, as a person names it: `ipip`, `gre`, `gre:csum`, `gue:6080`."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs import TunnelType
from directrix.system.host_error import HostError

_BETWEEN = {TunnelType.IPIP: 0, TunnelType.GRE: 8, TunnelType.GUE: 12}
_MOST_PORT = 65535
_CHECKSUM = "csum"


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """A kind of tunnel. `port` is GUE's alone; `checksum` GRE's: a receiver of GRE must know, one of GUE need not."""

    type: TunnelType
    port: int = 0
    checksum: bool = False

    @property
    def between(self) -> int:
        """Bytes between the two IP headers, at most."""
        return _BETWEEN[self.type]

    def __str__(self) -> str:
        name = self.type.name.lower()
        return f"{name}:{self.port}" if self.port else f"{name}:{_CHECKSUM}" if self.checksum else name


DEFAULT = Encapsulation(TunnelType.IPIP)
"""What a director's `-i` means if no kind is named."""


def read_encapsulation(text: str) -> Encapsulation:
    """The kind of tunnel a person wrote.

    Raises:
        HostError: it is none.
    """
    name, colon, port = text.partition(":")
    kinds = {kind.name.lower(): kind for kind in TunnelType}
    kind = kinds.get(name)
    if kind is None:
        raise HostError(f"{text!r} is no kind of tunnel", "write ipip, gre, gre:csum or gue:PORT")
    if kind is not TunnelType.GUE:
        if colon and (kind is not TunnelType.GRE or port != _CHECKSUM):
            raise HostError(f"{text!r}: only gue has a port", f"write {name}")
        return Encapsulation(kind, checksum=bool(colon))
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= _MOST_PORT:
        raise HostError(f"{text!r} lacks the UDP port that the director sends to", "write, say, gue:6080")
    return Encapsulation(kind, int(port))
