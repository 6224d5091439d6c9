"""A stock Linux 6.1 under QEMU, for devices that the host's own kernel doesn't make.

It boots in two seconds, has the host's file system (its writes go to memory and are forgotten), and runs one
command: most of all pytest, over test files of this directory. There are two pairs of network cards, each joined by a
wire, whose MAC addresses are in CARDS; they start in the guest's own network namespace. No hardware virtualisation is
needed; a command takes some twenty times as long as on the host.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARDS = (("02:00:00:00:0a:00", "02:00:00:00:0b:00"), ("02:00:00:00:0a:01", "02:00:00:00:0b:01"))
"""Of each wire: the card at one end and at the other."""

_BUILD = ROOT / "build" / "stock-kernel"
_KERNEL = ROOT / "build" / "bench" / "kernel"
_VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
_MEMORY = "1500M"
_MODULES = ("drivers/virtio", "drivers/net/virtio_net.ko", "drivers/net/net_failover.ko", "net/core/failover.ko")
_FILE_SYSTEMS = ("fs/fuse", "fs/overlayfs")
_APPLETS = ("sh", "mount", "mkdir", "modprobe", "switch_root", "cat")


def available() -> bool:
    """Whether this host has what is needed: `scripts/setup all`."""
    return _VIRTIOFSD.exists() and all(map(shutil.which, ("qemu-system-x86_64", "busybox", "cpio", "depmod")))


def run(*words: str, seconds: float = 1800) -> tuple[int, str]:
    """Boot, run a command in the checkout's directory, power off; answers its exit status and all that was said.

    Raises:
        subprocess.CalledProcessError: the kernel can't be had, or the guest can't be built.
        subprocess.TimeoutExpired: it took longer than so many seconds; it is ended.
    """
    subprocess.run([ROOT / "scripts" / "stock-kernel"], check=True)
    initramfs = _initramfs()
    with tempfile.TemporaryDirectory() as directory:
        socket = Path(directory) / "files"
        files = subprocess.Popen(
            [_VIRTIOFSD, f"--socket-path={socket}", "-o", "source=/,sandbox=chroot,cache=always"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            end = time.monotonic() + 10
            while not socket.exists() and files.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            guest = subprocess.run(
                _qemu(socket, initramfs, words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        finally:
            files.kill()
            files.wait()
    said = (guest.stdout + guest.stderr).decode(errors="replace")
    ended = [line for line in said.splitlines() if line.startswith("ENDED ")]
    return int(ended[-1].split()[1]) if ended and "FAILED modprobe" not in said else 1, said


def _qemu(socket: Path, initramfs: Path, words: tuple[str, ...]) -> list[str | Path]:
    assert not any("," in word or " " in word for word in words)
    command: list[str | Path] = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", _MEMORY, "-object", f"memory-backend-memfd,id=memory,size={_MEMORY},share=on"]
    command += ["-numa", "node,memdev=memory", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"]
    command += ["-chardev", f"socket,id=files,path={socket}", "-device", "vhost-user-fs-pci,chardev=files,tag=host"]
    for hub, cards in enumerate(CARDS):
        for end, mac in enumerate(cards):
            command += ["-netdev", f"hubport,id=card{hub}{end},hubid={hub}"]
            command += ["-device", f"virtio-net-pci,netdev=card{hub}{end},mac={mac},romfile=,speed=1000,duplex=full"]
    command += ["-kernel", ROOT / "build" / "bench" / "vmlinuz", "-initrd", initramfs]
    return [*command, "-append", f"console=ttyS0 panic=-1 quiet net.ifnames=0 guest.do={','.join(words)}"]


def _initramfs() -> Path:
    """Build what the kernel starts with: busybox, and the modules for the host's file system and the cards."""
    root = _BUILD / "root"
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("bin", "proc", "sys", "dev", "host", "memory", "new"):
        (root / directory).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    shutil.copy(ROOT / "tests" / "cluster" / "guest-init", root / "init")
    (root / "start").write_text(f"{ROOT}\n")
    [modules] = (_KERNEL / "lib" / "modules").iterdir()
    there = root / "lib" / "modules" / modules.name
    there.mkdir(parents=True)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(modules / name, there)
    for part in (*_MODULES, *_FILE_SYSTEMS):
        source, target = modules / "kernel" / part, there / "kernel" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    subprocess.run(["depmod", "-b", root, modules.name], check=True)
    image = _BUILD / "initramfs"
    with image.open("wb") as file:
        listing = subprocess.run(["find", "."], cwd=root, stdout=subprocess.PIPE, check=True)
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
            cwd=root,
            input=listing.stdout,
            stdout=file,
            check=True,
        )
    return image
