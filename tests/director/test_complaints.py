"""What a configuration says in vain is told in the log."""

from __future__ import annotations

import pytest
from director_making import PLAIN, service, setup

from directrix.director.complaints import warn
from directrix.table.opening import IPVS, XDP

SERVER = "10.0.0.1 80 { weight 1\n }"


@pytest.mark.parametrize(
    ("text", "make", "told"),
    [
        (service(SERVER, more="drain {\nudp leave\n}"), IPVS, "drain: the kernel's IPVS can't end"),
        (service("10.0.0.1 80 { drain {\ndeadline 5\nthen expire\n}\n }"), IPVS, "drain: the kernel's IPVS can't end"),
        (service(SERVER, more="passive_health {\n}"), IPVS, "passive_health has no effect"),
        (service(SERVER, more="drain {\ndeadline 5\n}"), IPVS, ""),
        (service(SERVER, more="drain {\nudp leave\n}\npassive_health {\n}"), XDP, ""),
        (PLAIN, IPVS, ""),
    ],
)
def test_what_the_kernel_s_ipvs_can_t_do_is_told(
    text: str, make: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn(setup(text), make)
    assert caplog.text.count("WARNING") == bool(told)
    assert told in caplog.text
