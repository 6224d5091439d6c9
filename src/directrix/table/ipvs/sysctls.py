"""The kernel's own sysctls of IPVS, /proc/sys/net/ipv4/vs, of the network namespace the caller is in."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from directrix.lvs.sysctls import OF_IPVS, BadSysctl, SysctlValue, check, find, show
from directrix.system import sysctl


def read_all() -> dict[str, SysctlValue]:
    """Those of IPVS's sysctls that this kernel has.

    Raises:
        ValueError: the kernel shows what is no value.
    """
    found: dict[str, SysctlValue] = {}
    for known in OF_IPVS.values():
        text = sysctl.read(known.full_name)
        if text is not None:
            numbers = [int(word) for word in text.split()]
            found[known.name] = (numbers[0], numbers[1]) if isinstance(known.default, tuple) else numbers[0]
    return found


def write_all(values: Mapping[str, SysctlValue]) -> None:
    """Set all of them; if the kernel refuses one, those before it get back what they had.

    Raises:
        BadSysctl: ENOENT, EINVAL or what else the kernel says.
    """
    check(values)
    for name in values.keys() - OF_IPVS.keys():
        raise BadSysctl(errno.ENOENT, f'cannot stat key "{find(name).full_name}"', "the kernel's IPVS does not have it")
    before: dict[str, str | None] = {}
    for name, value in values.items():
        known = OF_IPVS[name]
        old = sysctl.read(known.full_name)
        try:
            sysctl.require(known.full_name, show(value))
        except OSError as error:
            for done, text in before.items():
                if text is not None:
                    sysctl.write(OF_IPVS[done].full_name, text)
            number = error.errno or errno.EINVAL
            what = "cannot stat" if number == errno.ENOENT else "setting"
            raise BadSysctl(number, f'{what} key "{known.full_name}"', "the kernel refused it") from None
        before[name] = old
