"""directrix: a Linux Virtual Server whose table lives in the kernel as eBPF maps."""

__version__ = "0.1.0"
