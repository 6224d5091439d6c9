"""A process that runs VrrpService and does as its stdin says; started inside a network namespace by tests.

stdin: one word a line and, where it takes one, a pickled configuration in base64: `start`, `reload`, `states`, `stop`.
stdout: one JSON object a line: effects as they are done, states as asked for; `at` is CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import logging
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

from directrix.vrrp.configuration import Configuration
from directrix.vrrp.effects import Effect, Note
from directrix.vrrp.service import VrrpService


def say(kind: str, **facts: Any) -> None:
    print(json.dumps({"at": time.monotonic(), "kind": kind, **facts}, default=str), flush=True)


def tell(effect: Effect) -> None:
    if isinstance(effect, Note):
        say("Note", text=effect.text)
        return
    name = effect.group.name if hasattr(effect, "group") else effect.instance.name
    state = getattr(effect, "state", None)
    say(
        type(effect).__name__,
        name=name,
        state=state.name if state is not None else None,
        priority=getattr(effect, "priority", None),
    )


def configuration(text: str) -> Configuration:
    loaded = pickle.loads(base64.b64decode(text))
    assert isinstance(loaded, Configuration)
    return loaded


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 22)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    memory = os.environ.get("MEMORY")
    service: VrrpService | None = None
    while line := await lines.readline():
        word, _, rest = line.decode().strip().partition(" ")
        if word == "start":
            service = VrrpService(configuration(rest), on_effect=tell, memory=Path(memory) if memory else None)
            await service.start()
        assert service is not None
        if word == "reload":
            await service.reload(configuration(rest))
        elif word == "states":
            say(
                "states",
                states=[
                    dataclasses.asdict(status)
                    | {
                        "state": status.state.name,
                        "rejected": {cause.name: count for cause, count in status.statistics.rejected.items() if count},
                        "statistics": {
                            name: getattr(status.statistics, name)
                            for name in (
                                "advertisements_received",
                                "advertisements_sent",
                                "priority_zero_received",
                                "become_master",
                                "release_master",
                                "priority_zero_sent",
                            )
                        },
                    }
                    for status in service.states()
                ],
            )
        elif word == "strangers":
            say("strangers", strangers=[dataclasses.asdict(stranger) for stranger in service.strangers()])
        elif word == "stop":
            await service.stop()
            break
        say("done", word=word)
    say("ended")


logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(relativeCreated)d %(message)s")
asyncio.run(main())
