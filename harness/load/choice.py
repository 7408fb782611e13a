"""Who draws next: all in turn, or a few often (Zipf). Pure.

Nobody draws again within `again_ns` of their last due time: in turn this is so as long as there are
enough borrowers; by Zipf's law whoever is still resting is drawn again. The rule cuts the head of
the law, therefore: at n draws within that time nobody can have more than one in n of them.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

from harness.scenario.model import BORROWERS_MAX

# So many of the law's choices in a row were resting: hardly any of its weight is free.
RESAMPLES_MAX = 1000


class Chosen(Protocol):
    """What a choice must know of a borrower."""

    @property
    def borrower(self) -> int: ...
    @property
    def delinquent(self) -> bool: ...


B = TypeVar("B", bound=Chosen)
B_co = TypeVar("B_co", bound=Chosen, covariant=True)


class NobodyFree(ValueError):
    """Whoever could draw has drawn too lately: the population is too small."""


class TooFewBorrowers(ValueError):
    """The population is too small for each borrower to have one draw at a time. `needed`: so many
    would do; None: no number does."""

    def __init__(self, needed: int | None, zipf: float) -> None:
        smaller = "a smaller load.population.zipf" if zipf else ""
        if needed is None:
            mends = ", ".join(filter(None, (smaller, "a lower rate", "a shorter deadline")))
            text = f"no number will do, up to {BORROWERS_MAX} were tried: {mends}"
        else:
            text = f"at least {needed} borrowers" + (f", or {smaller}" if smaller else "")
        super().__init__(text)
        self.needed = needed


class Choice(Protocol[B_co]):
    """Chooses one borrower after another, in due order."""

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> B_co:
        """Who wants the draw due at `due_ns`. Raises NobodyFree."""


def choice_of(population: Sequence[B], dice: random.Random, zipf: float) -> Choice[B]:
    """The choice a scenario asks for; exponent 0 is all in turn."""
    return Zipf(population, dice, zipf) if zipf else InTurn(population, dice)


class InTurn(Generic[B]):
    """Borrowers in a shuffled order each, taken in turn: none comes again too soon."""

    def __init__(self, population: Sequence[B], dice: random.Random) -> None:
        self._queues = _shuffled(population, dice)
        self._turn = {False: 0, True: 0}
        self._last_due_ns: dict[int, int] = {}

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> B:
        """The next of the queue."""
        queue = self._queues[delinquent]
        if not queue:
            raise NobodyFree("nobody of that kind")
        borrower = queue[self._turn[delinquent] % len(queue)]
        self._turn[delinquent] += 1
        last_ns = self._last_due_ns.get(borrower.borrower)
        if last_ns is not None and due_ns - last_ns < again_ns:
            raise NobodyFree("the next in turn is resting")
        self._last_due_ns[borrower.borrower] = due_ns
        return borrower


class Zipf(Generic[B]):
    """The borrower of rank r of a shuffled order by a weight of r ** -exponent."""

    def __init__(self, population: Sequence[B], dice: random.Random, exponent: float) -> None:
        self._dice = dice
        self._queues = _shuffled(population, dice)
        self._sums = {
            flag: list(accumulate(rank**-exponent for rank in range(1, len(queue) + 1)))
            for flag, queue in self._queues.items()
        }
        self._last_due_ns: dict[int, int] = {}

    def rank(self, *, delinquent: bool) -> int:
        """One choice of the law, whoever is resting; from 0."""
        sums = self._sums[delinquent]
        return min(bisect_right(sums, self._dice.random() * sums[-1]), len(sums) - 1)

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> B:
        """The first choice of the law that is not resting."""
        queue = self._queues[delinquent]
        if not queue:
            raise NobodyFree("nobody of that kind")
        for _ in range(RESAMPLES_MAX):
            borrower = queue[self.rank(delinquent=delinquent)]
            last_ns = self._last_due_ns.get(borrower.borrower)
            if last_ns is None or due_ns - last_ns >= again_ns:
                self._last_due_ns[borrower.borrower] = due_ns
                return borrower
        raise NobodyFree("all that the law chooses are resting")


def _shuffled(population: Sequence[B], dice: random.Random) -> dict[bool, list[B]]:
    """Those in arrears have an order of their own: their draws are planned as refusals."""
    queues = {flag: [b for b in population if b.delinquent is flag] for flag in (False, True)}
    for queue in queues.values():
        dice.shuffle(queue)
    return queues
