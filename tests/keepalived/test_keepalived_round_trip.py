"""What is written reads back to the same values, whatever they are."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from keepalived_strategies import configurations

from directrix.keepalived import loads, written
from directrix.keepalived.as_json import as_json
from directrix.keepalived.values import Configuration


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(configurations())
def test_any_configuration_reads_back_to_the_same_values(configuration: Configuration) -> None:
    text = written(configuration)
    assert loads(text).configuration == configuration
    json.dumps(as_json(configuration))


def test_what_is_as_by_default_is_not_written() -> None:
    assert written(Configuration()) == ""
