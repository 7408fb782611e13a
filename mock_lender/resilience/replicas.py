"""Which replica of a service a call goes to."""

from collections.abc import Callable, Sequence


class Replicas:
    """The replicas of one service, as one caller sees them.

    With failover: round robin, passing over what refuses and what this call has tried already.
    Without: always the same one, by the caller's own number.
    """

    def __init__(self, names: Sequence[str], caller_number: int, *, failover: bool) -> None:
        self._names = list(names)
        self._failover = failover
        self._next = caller_number - 1

    def choose(self, tried: Sequence[str], refuses: Callable[[str], bool]) -> str:
        """A replica for the next try. When all refuse or were tried, the next in turn."""
        if not self._failover:
            return self._names[self._next % len(self._names)]
        self._next += 1
        turn = self._next % len(self._names)
        ordered = self._names[turn:] + self._names[:turn]
        fresh = [name for name in ordered if name not in tried]
        for candidates in (fresh, ordered):
            for name in candidates:
                if not refuses(name):
                    return name
        return (fresh or ordered)[0]

    def panics(self, refuses: Callable[[str], bool]) -> bool:
        """Do all of several replicas refuse? Then the trouble is most likely theirs in common, a
        database or a caller that is slow itself, and refusing everything would be worse: breakers
        are passed over until one of them closes."""
        return self.alternatives > 0 and all(refuses(name) for name in self._names)

    @property
    def alternatives(self) -> int:
        """How many other replicas a call could go to."""
        return len(self._names) - 1 if self._failover else 0
