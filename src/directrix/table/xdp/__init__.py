"""The table in eBPF maps: our own make."""
