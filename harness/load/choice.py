"""Who draws next: all in turn, or a few often (Zipf). Pure.

Nobody draws again within `again_ns` of their last due time: in turn this is so as long as there are
enough borrowers; by Zipf's law whoever is still resting is drawn again. The rule cuts the head of
the law, therefore: at n draws within that time nobody can have more than one in n of them.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from harness.evidence.rows import Borrower

# So many of the law's choices in a row were resting: hardly any of its weight is free.
RESAMPLES_MAX = 1000


class TooFewBorrowers(ValueError):
    """The population is too small for each borrower to have one draw at a time; says how many
    would do, and what else would."""

    def __init__(self, needed: int, or_else: str = "") -> None:
        super().__init__(f"at least {needed} borrowers{or_else}")
        self.needed = needed


class Choice(Protocol):
    """Chooses one borrower after another, in due order."""

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> Borrower:
        """Who wants the draw due at `due_ns`. Raises TooFewBorrowers."""


def choice_of(population: Sequence[Borrower], dice: random.Random, zipf: float) -> Choice:
    """The choice a scenario asks for; exponent 0 is all in turn."""
    return Zipf(population, dice, zipf) if zipf else InTurn(population, dice)


class InTurn:
    """Borrowers in a shuffled order each, taken in turn: none comes again too soon."""

    def __init__(self, population: Sequence[Borrower], dice: random.Random) -> None:
        self._queues = _shuffled(population, dice)
        self._turn = {False: 0, True: 0}
        self._last_due_ns: dict[int, int] = {}
        self._size = len(population)

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> Borrower:
        """The next of the queue."""
        queue = self._queues[delinquent]
        if not queue:
            raise TooFewBorrowers(self._size * 2 + 100)
        borrower = queue[self._turn[delinquent] % len(queue)]
        self._turn[delinquent] += 1
        last_ns = self._last_due_ns.get(borrower.borrower)
        if last_ns is not None and due_ns - last_ns < again_ns:
            raise TooFewBorrowers(self._size * 2)
        self._last_due_ns[borrower.borrower] = due_ns
        return borrower


class Zipf:
    """The borrower of rank r of a shuffled order by a weight of r ** -exponent."""

    def __init__(
        self, population: Sequence[Borrower], dice: random.Random, exponent: float
    ) -> None:
        self._dice = dice
        self._queues = _shuffled(population, dice)
        self._sums = {
            flag: list(accumulate(rank**-exponent for rank in range(1, len(queue) + 1)))
            for flag, queue in self._queues.items()
        }
        self._last_due_ns: dict[int, int] = {}
        self._size = len(population)

    def rank(self, *, delinquent: bool) -> int:
        """One choice of the law, whoever is resting; from 0."""
        sums = self._sums[delinquent]
        return min(bisect_right(sums, self._dice.random() * sums[-1]), len(sums) - 1)

    def take(self, *, delinquent: bool, due_ns: int, again_ns: int) -> Borrower:
        """The first choice of the law that is not resting."""
        queue = self._queues[delinquent]
        if not queue:
            raise TooFewBorrowers(self._size * 2 + 100)
        for _ in range(RESAMPLES_MAX):
            borrower = queue[self.rank(delinquent=delinquent)]
            last_ns = self._last_due_ns.get(borrower.borrower)
            if last_ns is None or due_ns - last_ns >= again_ns:
                self._last_due_ns[borrower.borrower] = due_ns
                return borrower
        raise TooFewBorrowers(self._size * 2, ", or a smaller load.population.zipf")


def _shuffled(population: Sequence[Borrower], dice: random.Random) -> dict[bool, list[Borrower]]:
    """Those in arrears have an order of their own: their draws are planned as refusals."""
    queues = {flag: [b for b in population if b.delinquent is flag] for flag in (False, True)}
    for queue in queues.values():
        dice.shuffle(queue)
    return queues
