"""Was the disk well enough for a lender to be judged? By the controller's own beats on it.

A beat is a small write that was forced to the disk. A second is as bad as its worst beat, also one
that began earlier or ended later; a second in which nobody looked at the disk is not a good one.
"""

from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.judge.view import RunView
from harness.scenario.generator_limits import DISK, bound, shown


@dataclass(frozen=True, slots=True)
class DiskHealth:
    """By second from t = 0, of those judged: the longest wait, s; and those without any look."""

    worst_s: dict[int, float]
    unseen: frozenset[int]
    most_s: float

    @property
    def bad(self) -> frozenset[int]:
        """Seconds that can't be held against the lender."""
        return self.unseen | {at for at, wait_s in self.worst_s.items() if wait_s > self.most_s}

    @property
    def worst_ms(self) -> float | None:
        """Over all the seconds; None without any look."""
        return round(max(self.worst_s.values()) * 1000, 3) if self.worst_s else None

    def words(self) -> list[str]:
        """What was wrong, at worst."""
        worst_s = max(self.worst_s.values(), default=0.0)
        beyond = worst_s > self.most_s
        most = shown(DISK, self.most_s)
        found = [f"{DISK.what} {shown(DISK, worst_s)}, at most {most}"] if beyond else []
        if self.unseen:
            found.append(f"the disk was not looked at in {len(self.unseen)} of them")
        return found


# The longest of the beats that any moment of a second fell into.
BEATS = """
SELECT second, max(took_ns) FROM (
    SELECT took_ns, unnest(range(floor((began_ns - $t0_ns) / 1e9)::BIGINT,
        floor((began_ns + took_ns - $t0_ns) / 1e9)::BIGINT + 1)) AS second FROM disk
) WHERE second >= $first AND second < $after GROUP BY second
"""


def disk_health(view: RunView, seconds: range) -> DiskHealth:
    """Of these seconds. A run of before the disk was looked at owes no beats, and has none."""
    at = {"t0_ns": view.t0_ns, "first": seconds.start, "after": seconds.stop}
    worst_s = {second: took_ns / NS_PER_S for second, took_ns in view.books.ask(BEATS, at)}
    unseen = frozenset(seconds) - worst_s.keys() if view.owes_disk else frozenset()
    return DiskHealth(worst_s, unseen, bound(DISK, dict(view.scenario.load.generator)))
