"""The system's libbpf, typed: every call here raises OSError with what libbpf said."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from directrix.lvs.errors import TableUnavailable
from directrix.table.xdp._libbpf import ffi

XDP_GENERIC = 1 << 1
XDP_NATIVE = 1 << 2
XDP_REPLACE = 1 << 4
_TC_INGRESS = 1
_TC_CUSTOM = 4
_TC_INGRESS_HANDLE = 0xFFFF0000
_TC_REPLACE = 1
TC_HANDLE = 0x6478
TC_PRIORITY = 0x6478
_LIBRARY = "libbpf.so.1"


def _open_library() -> Any:
    try:
        return ffi.dlopen(_LIBRARY)
    except OSError as error:
        raise TableUnavailable(
            f"the library {_LIBRARY} can't be used ({error})", "install it (Debian: apt-get install libbpf1)"
        ) from None


_library = _open_library()
_heard: list[str] = []


def _hear(level: int, form: Any, arguments: Any) -> int:
    """Keep what libbpf and the verifier say, to show it only when a load fails."""
    if level <= 1:
        text = ffi.new("char[]", 8192)
        _libc.vsnprintf(text, 8192, form, arguments)
        _heard.append(ffi.string(text).decode(errors="replace"))
        del _heard[:-50]
    return 0


_libc: Any = ffi.dlopen(None)
_callback: Any = ffi.callback("libbpf_print_fn_t", _hear)
_library.libbpf_set_print(_callback)


def heard() -> str:
    """What libbpf said since the last call, warnings and verifier logs."""
    text = "".join(_heard)
    _heard.clear()
    return text


def _check(result: int, what: str) -> int:
    if result < 0:
        number = -result if result > -4096 else ffi.errno
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def possible_cpus() -> int:
    """How many CPUs per-CPU data has room for."""
    return _check(_library.libbpf_num_possible_cpus(), "number of CPUs")


def get(path: Path) -> int:
    """A file descriptor of the object pinned at `path`."""
    return _check(_library.bpf_obj_get(os.fsencode(path)), f"open {path}")


def pin(fd: int, path: Path) -> None:
    """Pin an object, so that it outlives us."""
    _check(_library.bpf_obj_pin(fd, os.fsencode(path)), f"pin {path}")


def map_update(fd: int, key: bytes, value: bytes) -> None:
    """Set one element."""
    _check(_library.bpf_map_update_elem(fd, key, value, 0), "update of a map")


def map_lookup(fd: int, key: bytes, size: int) -> bytes:
    """One element of `size` bytes."""
    value = ffi.new("char[]", size)
    _check(_library.bpf_map_lookup_elem(fd, key, value), "look-up in a map")
    return bytes(ffi.buffer(value, size))


def map_delete(fd: int, key: bytes) -> None:
    """Remove one element; one that is not there is no error."""
    result = _library.bpf_map_delete_elem(fd, key)
    if result != -errno.ENOENT:
        _check(result, "delete from a map")


def map_keys(fd: int, size: int) -> Iterator[bytes]:
    """The keys of a hash map."""
    key, following = ffi.NULL, ffi.new("char[]", size)
    while _library.bpf_map_get_next_key(fd, key, following) == 0:
        found = bytes(ffi.buffer(following, size))
        yield found
        key = ffi.new("char[]", found)


def program_exists(number: int) -> bool:
    """Whether the kernel still has the program with this id: it is attached or held somewhere."""
    fd: int = _library.bpf_prog_get_fd_by_id(number)
    if fd < 0:
        return False
    os.close(fd)
    return True


def _about(fd: int) -> Any:
    """struct bpf_prog_info of a program, as words of 32 bits."""
    info = ffi.new("uint32_t[]", 64)
    length = ffi.new("uint32_t *", 256)
    _check(_library.bpf_obj_get_info_by_fd(fd, info, length), "information on a program")
    return info


def program_id(fd: int) -> int:
    """The kernel's number of a program."""
    return int(_about(fd)[1])


def verified_instructions(fd: int) -> int:
    """How many instructions the verifier looked at when it took a program; it gives up at a million."""
    return int(_about(fd)[54])


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a test run of a program gave: its return value, the packet after it, ns a run."""

    value: int
    packet: bytes
    nanoseconds: int


def run(fd: int, packet: bytes, *, context: bytes = b"", repeat: int = 1, room: int = 256) -> RunResult:
    """Run a program over a packet by BPF_PROG_TEST_RUN."""
    data = ffi.new("char[]", packet)
    out = ffi.new("char[]", len(packet) + room)
    given = ffi.new("char[]", context) if context else ffi.NULL
    options = ffi.new("struct bpf_test_run_opts *")
    options.sz = ffi.sizeof("struct bpf_test_run_opts")
    options.data_in, options.data_size_in = data, len(packet)
    options.data_out, options.data_size_out = out, len(packet) + room
    options.ctx_in, options.ctx_size_in = given, len(context)
    options.repeat = repeat
    _check(_library.bpf_prog_test_run_opts(fd, options), "test run")
    return RunResult(int(options.retval), bytes(ffi.buffer(out, options.data_size_out)), int(options.duration))


def xdp_program(ifindex: int) -> int:
    """The id of the XDP program at a device, 0 if there is none."""
    number = ffi.new("uint32_t *")
    _check(_library.bpf_xdp_query_id(ifindex, 0, number), "XDP query")
    return int(number[0])


def xdp_attach(ifindex: int, fd: int, mode: int, replaces: int | None = None) -> None:
    """Attach an XDP program, in place of the program `replaces` (a descriptor) if given."""
    options = ffi.NULL
    if replaces is not None:
        options = ffi.new("struct bpf_xdp_attach_opts *")
        options.sz, options.old_prog_fd = ffi.sizeof("struct bpf_xdp_attach_opts"), replaces
        mode |= XDP_REPLACE
    else:
        mode |= 1  # XDP_FLAGS_UPDATE_IF_NOEXIST
    _check(_library.bpf_xdp_attach(ifindex, fd, mode, options), "XDP attach")


def xdp_exchange(ifindex: int, fd: int, mode: int, old: int) -> None:
    """Attach an XDP program in place of the one with the id `old`, or where there is none if it is 0."""
    if not old:
        xdp_attach(ifindex, fd, mode)
        return
    old_fd = program_by_id(old)
    try:
        xdp_attach(ifindex, fd, mode, replaces=old_fd)
    finally:
        os.close(old_fd)


def xdp_detach(ifindex: int, mode: int) -> None:
    """Take the XDP program off a device."""
    _check(_library.bpf_xdp_detach(ifindex, mode, ffi.NULL), "XDP detach")


def program_by_id(number: int) -> int:
    """A descriptor of a program by its id."""
    return _check(_library.bpf_prog_get_fd_by_id(number), f"program {number}")


def _hook(ifindex: int) -> Any:
    hook = ffi.new("struct bpf_tc_hook *")
    hook.sz, hook.ifindex, hook.attach_point = ffi.sizeof("struct bpf_tc_hook"), ifindex, _TC_INGRESS
    return hook


def _tc_options(**values: int) -> Any:
    options = ffi.new("struct bpf_tc_opts *")
    options.sz = ffi.sizeof("struct bpf_tc_opts")
    options.handle, options.priority = TC_HANDLE, TC_PRIORITY
    for name, value in values.items():
        setattr(options, name, value)
    return options


def tc_attach(ifindex: int, fd: int) -> bool:
    """Attach at tc ingress, in place of our own program if one is there. True: we made the clsact qdisc."""
    hook = _hook(ifindex)
    made = _library.bpf_tc_hook_create(hook)
    if made != -errno.EEXIST:
        _check(made, "tc hook")
    _check(_library.bpf_tc_attach(hook, _tc_options(prog_fd=fd, flags=_TC_REPLACE)), "tc attach")
    return bool(made == 0)


def tc_attach_ingress(ifindex: int, fd: int) -> None:
    """Attach to an ingress qdisc that is there, in place of our own program."""
    _check(_library.bpf_tc_attach(_ingress(ifindex), _tc_options(prog_fd=fd, flags=_TC_REPLACE)), "tc attach")


def tc_program_ingress(ifindex: int) -> int:
    """The id of our program at an ingress qdisc."""
    options = _tc_options()
    _check(_library.bpf_tc_query(_ingress(ifindex), options), "tc query")
    return int(options.prog_id)


def _ingress(ifindex: int) -> Any:
    hook = _hook(ifindex)
    hook.attach_point, hook.parent = _TC_CUSTOM, _TC_INGRESS_HANDLE
    return hook


def tc_program(ifindex: int) -> int:
    """The id of our program at tc ingress of a device, 0 if it is not there."""
    options = _tc_options()
    if _library.bpf_tc_query(_hook(ifindex), options) < 0:
        return 0
    return int(options.prog_id)


def tc_detach(ifindex: int) -> None:
    """Take our program off tc ingress."""
    _check(_library.bpf_tc_detach(_hook(ifindex), _tc_options()), "tc detach")


def tc_remove_hook(ifindex: int) -> None:
    """Remove the clsact qdisc."""
    hook = _hook(ifindex)
    hook.attach_point = 3
    _check(_library.bpf_tc_hook_destroy(hook), "tc hook")


class Ring:
    """The reading end of a ring buffer map."""

    def __init__(self, fd: int) -> None:
        """Read the map with this descriptor, which may be closed afterwards."""
        self._found: list[bytes] = []
        self._callback = ffi.callback("ring_buffer_sample_fn", self._take)
        self._ring = _library.ring_buffer__new(fd, self._callback, ffi.NULL, ffi.NULL)
        if not self._ring:
            raise OSError(ffi.errno or errno.EINVAL, "the ring buffer can't be read")

    def _take(self, context: Any, data: Any, size: int) -> int:
        self._found.append(bytes(ffi.buffer(data, size)))
        return 0

    def poll(self, milliseconds: int) -> list[bytes]:
        """The records since the last call; waits for one, so long at most. A signal ends the wait."""
        result = _library.ring_buffer__poll(self._ring, milliseconds)
        if result != -errno.EINTR:
            _check(result, "ring buffer")
        found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Read no more."""
        _library.ring_buffer__free(self._ring)


@dataclass(slots=True)
class Object:
    """The compiled data plane, opened and not yet loaded. Close it when the programs are attached."""

    path: Path
    maps: dict[str, Any] = field(default_factory=dict)
    _object: Any = None

    @classmethod
    def open(cls, path: Path) -> Object:
        """Open an ELF object."""
        obj = _library.bpf_object__open_file(os.fsencode(path), ffi.NULL)
        if not obj:
            raise OSError(ffi.errno or errno.EINVAL, f"{path} is not a BPF object: {heard()}")
        opened = cls(path, {}, obj)
        item = _library.bpf_object__next_map(obj, ffi.NULL)
        while item:
            opened.maps[ffi.string(_library.bpf_map__name(item)).decode()] = item
            item = _library.bpf_object__next_map(obj, item)
        return opened

    def reuse(self, name: str, fd: int) -> None:
        """Use a map that exists instead of making one."""
        _check(_library.bpf_map__reuse_fd(self.maps[name], fd), f"map {name}")

    def resize(self, name: str, entries: int) -> None:
        """Set how many elements a map will have."""
        _check(_library.bpf_map__set_max_entries(self.maps[name], entries), f"map {name}")

    def set_value(self, name: str, value: bytes) -> None:
        """Set the first content of a global data map."""
        _check(_library.bpf_map__set_initial_value(self.maps[name], value, len(value)), f"map {name}")

    def only(self, names: set[str]) -> None:
        """Leave all other programs out: the verifier takes its time with each."""
        program = _library.bpf_object__next_program(self._object, ffi.NULL)
        while program:
            name = ffi.string(_library.bpf_program__name(program)).decode()
            _check(_library.bpf_program__set_autoload(program, name in names), f"program {name}")
            program = _library.bpf_object__next_program(self._object, program)

    def load(self) -> None:
        """Make the maps and have the verifier look at the programs."""
        heard()
        _check(_library.bpf_object__load(self._object), "load")

    def map_fd(self, name: str) -> int:
        """The descriptor of a loaded map; it is closed with the object."""
        return int(_library.bpf_map__fd(self.maps[name]))

    def program(self, name: str) -> int:
        """The descriptor of a loaded program; it is closed with the object."""
        program = _library.bpf_object__find_program_by_name(self._object, name.encode())
        if not program:
            raise OSError(errno.ENOENT, f"{self.path} has no program {name}")
        return int(_library.bpf_program__fd(program))

    def close(self) -> None:
        """Close all descriptors; what is attached or pinned lives on."""
        if self._object:
            _library.bpf_object__close(self._object)
            self._object = None
