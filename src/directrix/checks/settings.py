"""What every checker is told: when to check, and from where to where. Times are in seconds.

The defaults are keepalived's. There a checker's setting counts before the real server's, that before the virtual
server's, and all before the checker's own default; whoever reads a configuration has settled that before it comes here.
"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.addresses import Address, endpoint


@dataclass(frozen=True, slots=True)
class Timing:
    """When a checker checks, and how many failures make it believe.

    Attributes:
        delay_loop: from the end of one check to the next.
        retry: so many failures more are borne after the first before a checker that is up goes down. A checker that has
            not run yet goes down by its first failure.
        delay_before_retry: from a failure that is borne to the next check.
        warmup: the first check comes at random within this time, so that checks don't come in step. None stands for
            `delay_loop`.
        alpha: down until a check has succeeded; else up until one has failed.
        log_all_failures: failures that are borne are worth a line in the log, too.
    """

    delay_loop: float = 60.0
    retry: int = 1
    delay_before_retry: float = 1.0
    warmup: float | None = None
    alpha: bool = False
    log_all_failures: bool = False

    def __post_init__(self) -> None:
        if self.delay_loop <= 0:
            raise ValueError(f"delay_loop {self.delay_loop}: a check needs some time before the next")
        if self.retry < 0 or self.delay_before_retry < 0 or (self.warmup or 0) < 0:
            raise ValueError("retry, delay_before_retry and warmup can't be negative")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a checker talks to, and as whom.

    Attributes:
        address: `connect_ip`; the real server's own if the operator says nothing.
        port: `connect_port`; likewise.
        bindto: the address to come from; the kernel's choice if None.
        bind_port: the port to come from; the kernel's choice if 0.
        bind_if: the interface to use. A link-local address needs it.
        fwmark: the mark of all packets of the check; 0 for none.
        connect_timeout: how long each step may take: connecting, a TLS handshake, each wait for something to read.
        patience: how long a whole check may take. keepalived has no such bound, and a server that sends a byte now and
            then keeps its check busy for ever. None stands for six times `connect_timeout`.
    """

    address: Address
    port: int
    bindto: Address | None = None
    bind_port: int = 0
    bind_if: str = ""
    fwmark: int = 0
    connect_timeout: float = 5.0
    patience: float | None = None

    def __post_init__(self) -> None:
        if self.bindto is not None and self.bindto.version != self.address.version:
            raise ValueError(f"bindto {self.bindto} and {self.address} are of different families")
        if self.address.version == 6 and self.address.is_link_local and not self.bind_if:
            raise ValueError(f"{self.address} is a link-local address, which needs bind_if")
        if self.connect_timeout <= 0:
            raise ValueError(f"connect_timeout {self.connect_timeout}: connecting takes some time")

    @property
    def deadline(self) -> float:
        """How long a whole check may take."""
        return self.patience if self.patience is not None else 6 * self.connect_timeout

    def __str__(self) -> str:
        return endpoint(self.address, self.port)
