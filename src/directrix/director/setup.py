"""A configuration made ready: everything translated, and everything refused that can be known to be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from directrix.checks.actions import ServerKey
from directrix.checks.pool_values import CheckerSettings, PoolSettings
from directrix.director.checkers import PASSIVE, Checking, checks_of
from directrix.director.plan import WantedService, WantedTwice, make_plan
from directrix.director.programs import changeable_by_others, command, scripts_of
from directrix.director.refusal import Refused
from directrix.director.routers import routers
from directrix.director.told import CheckName
from directrix.director.virtual import Virtual, virtual_servers
from directrix.keepalived.values import Configuration
from directrix.lvs import ServiceKey, TableError
from directrix.table.interface import Table, check_address, check_netmask, check_server
from directrix.vrrp import configuration as vrrp
from directrix.vrrp.values import InvalidConfiguration


@dataclass(frozen=True, slots=True)
class Setup:
    """What is to be done by a configuration.

    Attributes:
        configuration: as it was read.
        virtuals: virtual servers by name, in the order written.
        checks: of each real server, by virtual server and server.
        routers: what VRRP is told.
    """

    configuration: Configuration
    virtuals: Mapping[str, Virtual]
    checks: Mapping[tuple[str, ServerKey], tuple[Checking, ...]]
    routers: vrrp.Configuration

    def pool_settings(self, virtual: Virtual) -> PoolSettings:
        """What the pool of a virtual server is told."""
        return virtual.pool_settings(
            {
                key: tuple(
                    CheckerSettings(check.name, check.timing.alpha, quiesces=check.name == PASSIVE)
                    for check in self.checks[virtual.name, key]
                )
                for key in virtual.real_servers
            }
        )

    def each_check(self) -> Iterator[tuple[CheckName, Checking]]:
        """Every check by its name."""
        for (virtual, server), checks in self.checks.items():
            for check in checks:
                yield (virtual, server, check.name), check

    def check(self, name: CheckName) -> Checking:
        """One check."""
        return next(check for check in self.checks[name[0], name[1]] if check.name == name[2])

    @property
    def keys(self) -> frozenset[ServiceKey]:
        """All services of the table that are its own."""
        return frozenset(key for virtual in self.virtuals.values() for key in virtual.keys)


def prepare(configuration: Configuration) -> Setup:
    """Translate a configuration.

    Raises:
        Refused: with all contradictions that are found.
    """
    virtuals = {virtual.name: virtual for virtual in virtual_servers(configuration)}
    reasons: list[str] = []
    everything = [want for virtual in virtuals.values() for want in virtual.everything()]
    try:
        make_plan((), everything)
    except WantedTwice as twice:
        reasons.append(str(twice))
    checks: dict[tuple[str, ServerKey], tuple[Checking, ...]] = {}
    for virtual in virtuals.values():
        for key, server in virtual.real_servers.items():
            try:
                checks[virtual.name, key] = tuple(checks_of(server, virtual.settings, configuration))
            except (ValueError, LookupError) as error:
                reasons.append(f"virtual_server {virtual.name}, real_server {key[0]} {key[1]}: {error}")
    translated = vrrp.Configuration()
    try:
        translated = routers(configuration)
    except InvalidConfiguration as error:
        reasons.append(str(error))
    reasons += _beyond_us(configuration)
    if reasons:
        raise Refused(reasons)
    return Setup(configuration, virtuals, checks, translated)


def _beyond_us(configuration: Configuration) -> Iterator[str]:
    """What would be missed if it were left out silently."""
    if configuration.globals.net_namespace_ipvs:
        yield "net_namespace_ipvs: the table is that of the network namespace the director runs in; use net_namespace"
    if configuration.globals.enable_script_security:
        for script in scripts_of(configuration):
            place = changeable_by_others(command(script, configuration.globals))
            if place is not None:
                yield f"enable_script_security: {script.words[0]} runs as root, and others may change {place}"


def vet(setup: Setup, table: Table) -> None:
    """Refuse what this make of table would not take. Nothing is changed.

    Raises:
        Refused: with all of it.
    """
    reasons = []
    for virtual in setup.virtuals.values():
        for want in (*virtual.everything(), *virtual.with_sorry_server()):
            reasons += [reason for reason in _refusals(want, table) if reason not in reasons]
    if reasons:
        raise Refused(reasons)


def _refusals(want: WantedService, table: Table) -> Iterator[str]:
    key = want.service.key
    try:
        check_netmask(want.service)
        table.vet_service(want.service)
    except TableError as error:
        yield f"virtual_server {key}: {error}"
        return
    if want.budget is not None:
        try:
            table.vet_budget(want.budget)
        except TableError as error:
            yield f"virtual_server {key}, budget: {error}"
    for server in want.servers:
        try:
            check_server(key, server)
            check_address(server.address)
            table.vet_server(key, server)
        except TableError as error:
            yield f"virtual_server {key}, real_server {server.address} {server.port}: {error}"
