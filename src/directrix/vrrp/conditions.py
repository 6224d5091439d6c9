"""What is known of all that is tracked, and what it comes to for one instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from directrix.vrrp.configuration import Configuration, Instance
from directrix.vrrp.tracked import Tracking
from directrix.vrrp.tracking import (
    Assessment,
    ScriptHealth,
    Weight,
    assess_condition,
    assess_number,
    total,
    weight_of,
)


class Conditions:
    """The states of tracked things, by name. An interface nobody told of is down; a file holds 0."""

    def __init__(self, configuration: Configuration) -> None:
        self.interfaces: dict[str, bool] = {}
        self.scripts: dict[str, ScriptHealth] = {}
        self.processes: dict[str, bool] = {}
        self.files: dict[str, int] = {}
        self.without_source: set[str] = set()
        """Names of instances that have no address to send from."""
        self.missing: Mapping[str, Sequence[str]] = {}
        """What is missing, in words, for which instances are in fault, by their names."""
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Take another configuration; what is known of things that stay is kept."""
        self._scripts = {script.name: script for script in configuration.scripts}
        self._weights = {
            (kind, thing.name): Weight(thing.weight, thing.reverse)
            for kind, things in (
                ("script", configuration.scripts),
                ("process", configuration.processes),
                ("file", configuration.files),
            )
            for thing in things
        }
        known = self.scripts
        self.scripts = {name: known.get(name, ScriptHealth.of(script)) for name, script in self._scripts.items()}

    def script_ended(self, name: str, succeeded: bool) -> bool:
        """A script has given a result; answers whether its state changed. One that is not tracked any more has none."""
        before = self.scripts.get(name)
        if before is None:
            return False
        self.scripts[name] = before.after(succeeded, self._scripts[name])
        return self.scripts[name].well is not before.well

    def assess(self, instance: Instance, of_group: Tracking, weights_count: bool) -> Assessment:
        """What an instance tracks, and what its group tracks for it, together.

        `weights_count` is False for members of a group that doesn't let single members change their priority.
        """
        parts = [*self._assess(instance.tracking, not weights_count), *self._assess(of_group, False)]
        if instance.track_interface and instance.interface:
            well = self.interfaces.get(instance.interface, False)
            parts.append(assess_condition(f"interface {instance.interface}", well, Weight()))
        if instance.fault_without_peer and not instance.peers:
            parts.append(Assessment(faults=("no unicast peer",)))
        if instance.name in self.without_source:
            parts.append(Assessment(faults=(f"no address on {instance.interface} to send from",)))
        if instance.name in self.missing:
            parts.append(Assessment(faults=tuple(self.missing[instance.name])))
        return total(parts)

    def _assess(self, tracking: Tracking, zeroed: bool) -> Iterator[Assessment]:
        for kind, things in (
            ("interface", tracking.interfaces),
            ("script", tracking.scripts),
            ("process", tracking.processes),
            ("file", tracking.files),
        ):
            for thing in things:
                weight = weight_of(thing, self._weights.get((kind, thing.name), Weight()))
                if zeroed:
                    weight = Weight(0, weight.reverse)
                words = f"{kind} {thing.name}"
                if kind == "file":
                    yield assess_number(words, self.files.get(thing.name, 0), weight)
                else:
                    yield assess_condition(words, self._condition(kind, thing.name), weight)

    def _condition(self, kind: str, name: str) -> bool | None:
        if kind == "interface":
            return self.interfaces.get(name, False)
        if kind == "process":
            return self.processes.get(name)
        return self.scripts[name].well
