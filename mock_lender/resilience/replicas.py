"""Which replica of a service a call goes to."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Literal

# always: the caller's own. turns: one after the other. least_loaded: of the next two in turn, the
# one that has fewer calls of this caller.
Way = Literal["always", "turns", "least_loaded"]


class Replicas:
    """The replicas of one service, as one caller sees them.

    Without any other way always the same one, by the caller's own number. With one, those that
    refuse are passed over, and those that this call has tried already; `home` goes before others,
    until it has `spill` calls of this caller more under way than they have. A home that is slow for
    some calls alone would else fill its callers' slots before anything is known against it. None:
    however many it has.
    """

    def __init__(
        self, names: Sequence[str], caller_number: int, way: Way, home: Collection[str] = (),
        spill: int | None = None,
    ) -> None:  # fmt: skip
        self.names = list(names)
        self._way = way
        self._next = caller_number - 1
        self._home = frozenset(home)
        self._spill = spill
        self._busy: Counter[str] = Counter()

    def choose(self, tried: Sequence[str], refuses: Callable[[str], bool]) -> str:
        """A replica for the next try. When all refuse or were tried, the next in turn."""
        if self._way == "always":
            return self.names[self._next % len(self.names)]
        self._next += 1
        turn = self._next % len(self.names)
        ordered = self.names[turn:] + self.names[:turn]
        fresh = [name for name in ordered if name not in tried]
        at_home = [name for name in fresh if name in self._home]
        well = [name for name in fresh if not refuses(name)]
        away = [name for name in well if name not in self._home]
        if self._is_full([name for name in well if name in self._home], away):
            return self._of_two(away)
        for candidates in (at_home, fresh, ordered):
            fit = [name for name in candidates if not refuses(name)]
            if fit:
                return self._of_two(fit)
        return (at_home or fresh or ordered)[0]

    def _is_full(self, at_home: Sequence[str], away: Sequence[str]) -> bool:
        """Has each well replica at home so many calls under way that another should help out?"""
        if self._spill is None or not at_home or not away:
            return False
        least_away, least = (min(self._busy[one] for one in some) for some in (away, at_home))
        return least - least_away >= self._spill

    def _of_two(self, fit: Sequence[str]) -> str:
        if self._way == "turns":
            return fit[0]
        return min(fit[:2], key=lambda name: self._busy[name])

    def begun(self, name: str) -> None:
        """A call to it is on its way."""
        self._busy[name] += 1

    def over(self, name: str) -> None:
        """It has ended."""
        self._busy[name] -= 1

    def panics(self, refuses: Callable[[str], bool]) -> bool:
        """Does less than half of several replicas not refuse? Then the trouble is most likely
        theirs in common, a database or a caller that is slow itself, and to refuse would be worse:
        all of them are asked, whatever is known of them, until half of them are well again."""
        well = sum(not refuses(name) for name in self.names)
        return self.alternatives > 0 and 2 * well < len(self.names)

    @property
    def alternatives(self) -> int:
        """How many other replicas a call could go to."""
        return 0 if self._way == "always" else len(self.names) - 1
