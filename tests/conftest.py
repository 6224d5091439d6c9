"""Rules for every test."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure() -> None:
    """Signals that whoever began the run has ignored (nohup, a shell's `&`) are not ignored by what is tested."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, the tests that need it are skipped and said to be."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
