"""How many draws are due when; part of the model of a scenario."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start_s` to `end_s` the rate goes from `rate_per_s` to `end_rate_per_s` in a straight
    line; None: it stays."""

    start_s: float
    end_s: float
    rate_per_s: float
    end_rate_per_s: float | None = None

    @property
    def last_per_s(self) -> float:
        """The rate just before its end, draw intents a second."""
        return self.rate_per_s if self.end_rate_per_s is None else self.end_rate_per_s

    @property
    def slope_per_s2(self) -> float:
        """How much the rate rises a second."""
        return (self.last_per_s - self.rate_per_s) / (self.end_s - self.start_s)

    @property
    def draws(self) -> float:
        """How many draws are expected in it."""
        return (self.end_s - self.start_s) * (self.rate_per_s + self.last_per_s) / 2

    def rate_at(self, at_s: float) -> float:
        """The rate at a moment within it, both ends included."""
        if self.last_per_s == self.rate_per_s or at_s <= self.start_s:
            return self.rate_per_s
        if at_s >= self.end_s:
            return self.last_per_s
        passed = (at_s - self.start_s) / (self.end_s - self.start_s)
        return self.rate_per_s + passed * (self.last_per_s - self.rate_per_s)


@dataclass(frozen=True, slots=True)
class Traced:
    """A draw given by a trace. due_ns counts from t = 0; what is None is chosen as for any draw.

    row counts the trace's rows from 1, the header left out.
    """

    due_ns: int
    borrower: int | None
    amount_fen: int | None
    row: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How many draws are due when.

    kinds: the shapes whose rates were added. stretches: their sum, over [0, load_s) without a gap.
    traced: draws given one by one, in due order; `trace` is the file they came from, or empty.
    spacing: `poisson`, or `even`: the k-th draw is due when k are expected.
    """

    kinds: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    spacing: Literal["poisson", "even"] = "poisson"
    traced: tuple[Traced, ...] = ()
    trace: str = ""

    @property
    def named(self) -> frozenset[int]:
        """The borrowers of whom a trace says when they draw."""
        return frozenset(draw.borrower for draw in self.traced if draw.borrower is not None)
