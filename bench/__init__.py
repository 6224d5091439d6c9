"""The benchmarks: what a packet, a connection and a command cost. `scripts/bench` runs them."""
