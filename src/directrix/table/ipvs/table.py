"""The kernel's IPVS as a table. What it refuses bears its own error number."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from directrix.lvs import (
    Address,
    Connection,
    Counters,
    MarkMatch,
    MarkRule,
    Rates,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    TableError,
    Timeouts,
    VirtualService,
)
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.errors import MarkedElsewhere
from directrix.lvs.sysctls import SysctlValue
from directrix.table.interface import Table
from directrix.table.ipvs import codec, marking, proc, refusals, sysctls
from directrix.table.ipvs.family import Command
from directrix.table.ipvs.speaker import Speaker

# Not /proc/net, which is of the process's first thread, whatever namespace this one is in.
_CONNECTIONS = "/proc/thread-self/net/ip_vs_conn"
_TOTALS = "/proc/thread-self/net/ip_vs_stats"


class IpvsTable(Table):
    """The table of the network namespace in which its speaker was opened.

    Counters and rates are those of IPVS's estimator, so they are up to two seconds old. Connections
    and totals are read from /proc and are of the namespace the calling thread is in.
    """

    def __init__(self, speaker: Speaker, size: int) -> None:
        self._speaker = speaker
        self._size = size

    def services(self) -> list[ServiceState]:
        with _refused_as(refusals.of_any):
            found = [codec.decode_service(answer) for answer in self._speaker.ask_all(Command.GET_SERVICE)]
            return [self._with_servers(state) for state in found]

    def service(self, key: ServiceKey) -> ServiceState:
        with _refused_as(lambda number: refusals.of_key(number, key)):
            return self._with_servers(
                codec.decode_service(self._speaker.ask(Command.GET_SERVICE, codec.encode_key(key)))
            )

    def _with_servers(self, state: ServiceState) -> ServiceState:
        key = state.service.key
        answers = self._speaker.ask_all(Command.GET_DEST, codec.encode_key(key))
        servers: tuple[ServerState, ...] = tuple(codec.decode_server(answer, key.family) for answer in answers)
        return ServiceState(state.service, servers, state.counters, state.rates)

    def add_service(self, service: VirtualService) -> None:
        with _refused_as(lambda number: refusals.of_service(number, service)):
            self._speaker.change(Command.NEW_SERVICE, codec.encode_service(service))

    def edit_service(self, service: VirtualService) -> None:
        with _refused_as(lambda number: refusals.of_service(number, service)):
            self._speaker.change(Command.SET_SERVICE, codec.encode_service(service))

    def delete_service(self, key: ServiceKey) -> None:
        with _refused_as(lambda number: refusals.of_key(number, key)):
            self._speaker.change(Command.DEL_SERVICE, codec.encode_key(key))

    def flush(self) -> None:
        with _refused_as(refusals.of_any):
            self._speaker.change(Command.FLUSH)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        with _refused_as(lambda number: refusals.of_server(number, key, server)):
            self._speaker.change(Command.NEW_DEST, codec.encode_key(key) + codec.encode_server(server))

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        with _refused_as(lambda number: refusals.of_server(number, key, server)):
            self._speaker.change(Command.SET_DEST, codec.encode_key(key) + codec.encode_server(server))

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        with _refused_as(lambda number: refusals.of_server_key(number, key, address, port)):
            self._speaker.change(Command.DEL_DEST, codec.encode_key(key) + codec.encode_server_key(address, port))

    def zero(self, key: ServiceKey | None = None) -> None:
        with _refused_as(lambda number: refusals.of_key(number, key) if key else refusals.of_any(number)):
            self._speaker.change(Command.ZERO, codec.encode_key(key) if key else b"")

    def totals(self) -> tuple[Counters, Rates]:
        with _refused_as(refusals.of_any), open(_TOTALS) as file:
            return proc.read_totals(file.read())

    def timeouts(self) -> Timeouts:
        with _refused_as(refusals.of_any):
            return codec.decode_timeouts(self._speaker.ask(Command.GET_CONFIG))

    def set_timeouts(self, timeouts: Timeouts) -> None:
        with _refused_as(refusals.of_any):
            self._speaker.change(Command.SET_CONFIG, codec.encode_timeouts(timeouts))

    def connections(self) -> Iterator[Connection]:
        with _refused_as(refusals.of_any), open(_CONNECTIONS, "rb") as file:
            yield from proc.read_connections(file)

    # Netfilter comes before the kernel's IPVS and gives marks there.

    def marks(self) -> list[MarkRule]:
        raise MarkedElsewhere("nft list ruleset")

    def add_mark(self, rule: MarkRule) -> None:
        raise MarkedElsewhere(f"nft '{marking.adding(rule)}'")

    def remove_mark(self, match: MarkMatch, mark: int | None = None) -> None:
        raise MarkedElsewhere(f"nft -a list chain {marking.CHAIN}, and nft delete rule with the handle it shows")

    def set_marks(self, rules: Sequence[MarkRule]) -> None:
        raise MarkedElsewhere(f"nft '{marking.replacing(rules)}'")

    @property
    def size(self) -> int:
        return self._size

    def sysctls(self) -> dict[str, SysctlValue]:
        with _refused_as(refusals.of_any):
            return sysctls.read_all()

    def set_sysctls(self, values: Mapping[str, SysctlValue]) -> None:
        sysctls.write_all(values)

    @property
    def inert_sysctls(self) -> Mapping[str, str]:
        """None: they are the kernel's own."""
        return {}

    def daemons(self) -> list[SyncDaemon]:
        with _refused_as(refusals.of_any):
            return [codec.decode_daemon(answer) for answer in self._speaker.ask_all(Command.GET_DAEMON)]

    def start_daemon(self, daemon: SyncDaemon) -> None:
        with _refused_as(refusals.of_any):
            self._speaker.change(Command.NEW_DAEMON, codec.encode_daemon(daemon))

    def stop_daemon(self, role: DaemonRole) -> None:
        # IPVS says that it was interrupted if the daemon had been started and not yet run; it never will.
        with _refused_as(refusals.of_any), suppress(InterruptedError):
            self._speaker.change(Command.DEL_DAEMON, codec.encode_role(role))

    def close(self) -> None:
        self._speaker.close()


@contextmanager
def _refused_as(refusal: Callable[[int], TableError]) -> Iterator[None]:
    """An error of the block becomes this refusal of its number; an answer that can't be read is EPROTO."""
    try:
        yield
    except OSError as error:
        raise refusal(error.errno or errno.EIO) from None
    except OverflowError:
        raise refusal(errno.ERANGE) from None
    except ValueError as error:
        raise TableError(errno.EPROTO, str(error)) from None
