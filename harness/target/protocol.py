"""What a drill asks of the lender under test."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from harness.faults.fault import Surroundings
from harness.scenario.model import FaultSpec


class Target(Surroundings, Protocol):
    """A lender that can be started, loaded, faulted, read and stopped.

    Methods raise TargetError when the lender does not do its part.
    """

    def start(self) -> None:
        """Begin starting; returns at once."""

    def poll_ready(self) -> bool:
        """True once every service answers. Raises TargetError if it never will."""

    def base_urls(self) -> Mapping[str, str]:
        """Gateways by name, `http://host:port`."""

    def begins(self, t0_ns: int, faults: Iterable[FaultSpec]) -> None:
        """The drill's time 0, CLOCK_MONOTONIC, soon: the lender's calendar counts from it, and it
        is told when dates of its rules will begin, which is no secret. Raises TargetError."""

    def settle(self) -> None:
        """What is done at the end of warmup (CHECKPOINT and ANALYZE), bounded to seconds."""

    def pending(self) -> int | None:
        """Draws whose money is still held; None when the lender can't say."""

    def at_rest(self) -> bool:
        """True when no draw is on its way through it: what it does not know now, it never will."""

    def sweeper_window_s(self) -> float:
        """How long after a borrower's deadline the lender may still be ending a draw."""

    def cpu_s(self) -> Mapping[str, float]:
        """CPU seconds used so far by each role (`gateway`, `bank.own`, `database`)."""

    def export(self) -> None:
        """Write the lender's books and its own records into the run directory."""

    def facts(self) -> Mapping[str, object]:
        """For environment.json: durability settings, topology."""

    def stop(self) -> None:
        """Stop it; bounded."""

    @property
    def logs(self) -> tuple[Path, ...]:
        """Where to look when it did not come up."""
