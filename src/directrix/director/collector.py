"""The garbage collector kept from looking through what lives as long as a configuration, again and again.

For ten thousand real servers that took a tenth of a second each time, in which nothing else happens.
"""

from __future__ import annotations

import gc

_COMPLETE = 64
"""Of so many times one looks through everything: what was alive by chance when it was spared may be garbage by now."""


class Collector:
    """Python's, as the director uses it."""

    def __init__(self) -> None:
        self._times = 0

    def spare(self) -> None:
        """All that is there now is not looked through any more. What has come since the last time is, once more.

        A configuration that was replaced goes without a collector: nothing in it refers to itself in a circle.
        """
        if self._times % _COMPLETE == 0:
            gc.unfreeze()
        self._times += 1
        gc.collect()
        gc.freeze()
