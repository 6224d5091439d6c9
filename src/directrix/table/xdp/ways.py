"""The ways to real servers: struct hop, which stands beside each of them and says how packets get there.

What the operator has a say in is written here: flags, and the addresses that packets get by the forwarding method. The
next hop is looked up by the data plane itself; here it is only told to do that anew.
"""

from __future__ import annotations

from directrix.lvs import Address, ForwardingMethod, RealServer
from directrix.system.local_address import is_here
from directrix.table.xdp import layout, libbpf, masquerading, tunnels
from directrix.table.xdp.keys import address_bytes, address_from
from directrix.table.xdp.maps import LOOK
from directrix.table.xdp.numbers import IN_USE
from directrix.table.xdp.records import Records

_HOP = layout.HOP
_RESOLVED = {
    ForwardingMethod.DIRECT: (layout.HOP_RESOLVED, layout.HOP_NARROW),
    ForwardingMethod.TUNNEL: (layout.HOP_TUNNEL,),
    ForwardingMethod.MASQUERADE: (layout.HOP_MASQUERADE,),
}
"""The states of a next hop that is known, by method."""

METHODS = tuple(_RESOLVED)
"""The forwarding methods that the data plane has."""


class Ways(Records):
    """By the numbers of real servers. Who changes anything holds the table's lock."""

    def open(self, number: int, server: RealServer) -> None:
        """Let packets go to a server, by its method. The data plane looks the next hop up anew if that has changed."""
        here = layout.SERVER_LOCAL if is_here(server.address) else 0
        flags = layout.SERVER_AVAILABLE | here | tunnels.flags(server) | masquerading.flags(server)
        if flags & layout.SERVER_TUNNEL:
            _HOP.pack_into(self._maps.hops.bytes, number * _HOP.size, outer=tunnels.outer_addresses(server.address))
        elif flags & layout.SERVER_MASQUERADE:
            _HOP.pack_into(self._maps.hops.bytes, number * _HOP.size, outer=address_bytes(server.address))
        self._set_word(number, "flags", flags)
        state = self._word(number, "state")
        if state in layout.HOPS_RESOLVED and state not in _RESOLVED[server.method]:
            self._set_word(number, "state", layout.HOP_UNKNOWN)

    def close(self, number: int) -> None:
        """Let none go there any more but ICMP errors about what the server has sent."""
        self._set_word(number, "flags", self._word(number, "flags") & ~layout.SERVER_AVAILABLE)

    def misjudged(self) -> list[tuple[int, int]]:
        """Servers that have become this host itself or are it no more, with the flags they should have.

        BPF can't tell an address of the host's own from one without a route.
        """
        known: dict[Address, bool] = {}
        found = []
        for number in range(self._front("server_top")):
            flags = self._word(number, "flags")
            if not flags & layout.SERVER_AVAILABLE:
                continue
            address = address_from(self._server_bytes(number, "address"), self._server_number(number, "family"))
            if address not in known:
                known[address] = is_here(address)
            wanted = flags | layout.SERVER_LOCAL if known[address] else flags & ~layout.SERVER_LOCAL
            if wanted != flags:
                found.append((number, wanted))
        return found

    def judge_anew(self) -> None:
        """Give those misjudged the flags they should have."""
        for number, flags in self.misjudged():
            self._set_word(number, "flags", flags)
            self._set_word(number, "state", layout.HOP_UNKNOWN)

    def look_up(self) -> None:
        """Have the data plane look now where each real server's frames go."""
        program = self._maps.descriptor(LOOK)
        for number in range(self._front("server_top")):
            if self._server_number(number, "in_use") == IN_USE:
                libbpf.run(program, bytes(14) + number.to_bytes(4, "little") + bytes(46))

    def next_hop(self, number: int) -> tuple[int, int, int]:
        """State (layout.HOP_STATES), ifindex and MAC."""
        raw = _HOP.whole.unpack_from(self._maps.hops.bytes, number * _HOP.size)
        state, ifindex, mac = (raw[_HOP.places[name]] for name in ("state", "ifindex", "mac"))
        return state, ifindex, mac

    def _word(self, number: int, name: str) -> int:
        return self._maps.hops.words[(number * _HOP.size + _HOP.offsets[name]) // 4]

    def _set_word(self, number: int, name: str, value: int) -> None:
        """One store, which packets see whole."""
        self._maps.hops.words[(number * _HOP.size + _HOP.offsets[name]) // 4] = value
