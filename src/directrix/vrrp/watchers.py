"""All that a configuration tracks, followed; and followed anew when another configuration comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from directrix.vrrp.configuration import Configuration
from directrix.vrrp.watching import FileWatch, ProcessWatch, ScriptWatch


class Watchers:
    """Scripts, files and processes, as far as something tracks them."""

    def __init__(
        self,
        script_ended: Callable[[str, bool], None],
        file_says: Callable[[str, int], None],
        process_is: Callable[[str, bool], None],
    ) -> None:
        self._script_ended = script_ended
        self._file_says = file_says
        self._process_is = process_is
        self._scripts: dict[str, ScriptWatch] = {}
        self._files: dict[str, FileWatch] = {}
        self._processes: ProcessWatch | None = None
        self._configuration = Configuration()

    @property
    def scripts(self) -> Mapping[str, ScriptWatch]:
        """The scripts that are run, by name."""
        return self._scripts

    async def configure(self, configuration: Configuration) -> None:
        """Follow what this configuration tracks. What stays the same is followed on."""
        before, self._configuration = self._configuration, configuration
        trackers = [instance.tracking for instance in configuration.instances]
        trackers += [group.tracking for group in configuration.groups]
        scripts = {thing.name for tracking in trackers for thing in tracking.scripts}
        wanted = {script.name: script for script in configuration.scripts if script.name in scripts}
        gone = [name for name, watch in self._scripts.items() if wanted.get(name) != watch.script]
        await asyncio.gather(*(self._scripts.pop(name).close() for name in gone))
        for name, script in wanted.items():
            if name not in self._scripts:
                self._scripts[name] = ScriptWatch(script, self._script_ended)

        files = {thing.name for tracking in trackers for thing in tracking.files}
        wanted_files = {file.name: file for file in configuration.files if file.name in files}
        for name in [name for name, watch in self._files.items() if wanted_files.get(name) != watch.file]:
            self._files.pop(name).close()
        for name, file in wanted_files.items():
            if name not in self._files:
                self._files[name] = FileWatch(file, self._file_says)

        if before.processes != configuration.processes and self._processes is not None:
            self._processes.close()
            self._processes = None
        if configuration.processes and self._processes is None:
            self._processes = ProcessWatch(configuration.processes, self._process_is)

    async def close(self) -> None:
        """Follow nothing any more."""
        await self.configure(Configuration())
