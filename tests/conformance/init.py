#!/usr/bin/env python3
"""First process of the conformance machine, a User Mode Linux with the real IPVS: whatever runs there begins here.

It mounts what is needed, loads IPVS, calls `main` of the Python file that CONFORMANCE_PART names,
with the directory whose files the host gets back, and switches the machine off. The root file
system is the host's, mounted read-only; whatever must be written to lies under a tmpfs.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from runpy import run_path

from guest import HERE, LIBC, MODULES, MS_BIND, load, mount

REBOOT_POWER_OFF = 0x4321FEDC


def prepare() -> Path:
    """Mount what is needed and load IPVS; the directory for what the part has to say."""
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("tmpfs", "/run", "tmpfs")
    output = Path("/run/output")
    output.mkdir()
    mount("none", str(output), "hostfs", 0, os.environ["CONFORMANCE_OUTPUT"])
    # Names must come from our files alone, whatever the host's say.
    Path("/run/nsswitch.conf").write_text("hosts: files\nservices: files\n")
    mount("/run/nsswitch.conf", "/etc/nsswitch.conf", "", MS_BIND)
    mount(str(HERE / "hosts"), "/etc/hosts", "", MS_BIND)
    mount(str(HERE / "services"), "/etc/services", "", MS_BIND)
    # The kernel's own calls for a scheduler's module find nothing on the host, so load all.
    Path("/run/root/lib").mkdir(parents=True)
    Path("/run/root/lib/modules").symlink_to("/usr/lib/uml/modules")
    load("veth", "bridge", *MODULES)
    return output


def main() -> None:
    part = Path(os.environ["CONFORMANCE_PART"])
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(part.parent), str(HERE.parents[1] / "src")]
    output = prepare()
    run_path(str(part))["main"](output)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os.sync()
        LIBC.reboot(REBOOT_POWER_OFF)
