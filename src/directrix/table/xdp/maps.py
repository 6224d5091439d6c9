"""The pinned maps of one table, opened when they are first asked for.

Arrays are mapped into memory: what the data plane and user space share is read and written there,
without a system call. A number that packets follow (the set of a service) is written by one store
of four aligned bytes, so that a packet sees the old value or the new one.
"""

from __future__ import annotations

import mmap
import os
import struct
from functools import cached_property

from directrix.table.xdp import layout, libbpf
from directrix.table.xdp.pins import Place


class Shared:
    """A map whose content is mapped: `bytes` byte by byte, `words` by 32 bits."""

    def __init__(self, fd: int, size: int) -> None:
        length = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.bytes = memoryview(mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))
        self.words = self.bytes.cast("I")


LOOK = "look"
"""Name of the pin of the program that looks one server's next hop up."""
ACCOUNT = "account"
"""Name of the pin of the program that takes one server's counters down."""
CLEAR = "clear"
"""Name of the pin of the program that ends connections of removed servers."""
DRAIN = "drain"
"""Name of the pin of the program that counts and ends connections of one real server."""
PROGRAMS = {LOOK: "directrix_look", ACCOUNT: "directrix_account", CLEAR: "directrix_clear", DRAIN: "directrix_drain"}
"""The programs that user space runs, by the names of their pins."""


def pin_name(map_name: str) -> str:
    """File name of a map's pin: a name in a BPF file system may not start with a dot."""
    if map_name.endswith(".bss"):
        return "hops"  # libbpf names it after the object
    return map_name.removeprefix(".data.").removeprefix(".rodata.")


class Maps:
    """The maps of the table at `place`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._descriptors: dict[str, int] = {}

    def descriptor(self, name: str) -> int:
        """The descriptor of a pinned map or program, opened once and closed with this object."""
        if name not in self._descriptors:
            self._descriptors[name] = libbpf.get(self._place.pins / name)
        return self._descriptors[name]

    def _shared(self, name: str, size: int) -> Shared:
        fd = libbpf.get(self._place.pins / name)
        try:
            return Shared(fd, size)
        finally:
            os.close(fd)

    @cached_property
    def front(self) -> Shared:
        """struct front."""
        return self._shared("front", layout.FRONT.size)

    @cached_property
    def services(self) -> Shared:
        """struct service by number."""
        return self._shared("services", layout.MAX_SERVICES * layout.SERVICE.size)

    @cached_property
    def sets(self) -> Shared:
        """struct set_unit by number."""
        return self._shared("sets", layout.MAX_SET_UNITS * layout.SET_UNIT_SIZE)

    @cached_property
    def summaries(self) -> Shared:
        """struct summary by number of the unit."""
        return self._shared("summaries", layout.MAX_SET_UNITS * layout.SUMMARY.size)

    @cached_property
    def hops(self) -> Shared:
        """struct hop by server number."""
        return self._shared("hops", layout.MAX_SERVERS * layout.HOP.size)

    @cached_property
    def servers(self) -> Shared:
        """struct server by number."""
        return self._shared("servers", layout.MAX_SERVERS * layout.SERVER.size)

    @cached_property
    def server_stats(self) -> Shared:
        """struct server_count, a row of MAX_SERVERS for each CPU."""
        return self._shared("server_stats", self.cpus * layout.MAX_SERVERS * layout.SERVER_COUNT.size)

    @cached_property
    def reply_stats(self) -> Shared:
        """struct server_count of replies, likewise."""
        return self._shared("reply_stats", self.cpus * layout.MAX_SERVERS * layout.SERVER_COUNT.size)

    @cached_property
    def handshakes(self) -> Shared:
        """struct handshakes by server number."""
        return self._shared("handshakes", layout.MAX_SERVERS * layout.HANDSHAKES.size)

    @cached_property
    def floods(self) -> Shared:
        """struct flood by service number."""
        return self._shared("floods", layout.MAX_SERVICES * layout.FLOOD.size)

    @cached_property
    def flooding(self) -> Shared:
        """struct flooding."""
        return self._shared("flooding", layout.FLOODING.size)

    @cached_property
    def sketch(self) -> Shared:
        """Words of 64 bits, those of the even epochs first."""
        return self._shared("sketch", 2 * 8 << layout.SKETCH_BITS)

    @cached_property
    def budgets(self) -> Shared:
        """struct budget by service number."""
        return self._shared("budgets", layout.MAX_SERVICES * layout.BUDGET.size)

    @cached_property
    def sources(self) -> Shared:
        """struct source_line by hash of a source."""
        return self._shared("sources", layout.SOURCE_LINE.size << layout.BUDGET_LINE_BITS)

    @cached_property
    def service_stats(self) -> Shared:
        """struct statistics by service number; the last is of all."""
        return self._shared("service_stats", (layout.MAX_SERVICES + 1) * layout.STATISTICS.size)

    @cached_property
    def devices(self) -> Shared:
        """struct device at ifindex % MAX_DEVICES."""
        return self._shared("devices", layout.MAX_DEVICES * layout.DEVICE.size)

    @cached_property
    def buckets(self) -> Shared:
        """struct bucket by number."""
        return self._shared("buckets", self.parameter("buckets") * layout.BUCKET_SIZE)

    @cached_property
    def vlans(self) -> int:
        """Descriptor of the hash from vlan_key to ifindex."""
        return self.descriptor("vlans")

    @cached_property
    def fwmarks(self) -> Shared:
        """struct fwmarks."""
        return self._shared("fwmarks", layout.FWMARKS.size)

    @cached_property
    def fwmark_rules(self) -> Shared:
        """struct fwmark_rule, rules and then ghosts of rules."""
        return self._shared("fwmark_rules", 2 * layout.MAX_FWMARK_RULES * layout.FWMARK_RULE_ROW.size)

    @cached_property
    def fwmark_ranges(self) -> Shared:
        """struct fwmark_range, those of the even generations first."""
        return self._shared("fwmark_ranges", 2 * layout.MAX_FWMARK_RANGES * layout.FWMARK_RANGE.size)

    @cached_property
    def fwmark_prefixes(self) -> int:
        """Descriptor of the trie from fwmark_prefix to fwmark_run."""
        return self.descriptor("fwmark_prefixes")

    @cached_property
    def _parameters(self) -> bytes:
        return libbpf.map_lookup(self.descriptor("parameters"), bytes(4), layout.PARAMETERS.size)

    def parameter(self, name: str) -> int:
        """A number fixed when the table was made."""
        return layout.PARAMETERS.get(memoryview(self._parameters), 0, name)

    def parameter_bytes(self, name: str) -> bytes:
        """The same of one that is no number."""
        start = layout.PARAMETERS.offsets[name]
        return self._parameters[start : start + struct.calcsize(layout.PARAMETERS.formats[name])]

    @cached_property
    def cpus(self) -> int:
        """Possible CPUs."""
        return self.parameter("cpus")

    def close(self) -> None:
        """Give descriptors back now, and mappings as soon as nobody looks at them any more."""
        for fd in self._descriptors.values():
            os.close(fd)
        self.__dict__.clear()
