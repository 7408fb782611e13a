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


def disk_health(view: RunView, seconds: range) -> DiskHealth:
    """Of these seconds. A run of before the disk was looked at owes no beats, and has none."""
    worst_s: dict[int, float] = {}
    for beat in view.disk:
        first = (beat.began_ns - view.t0_ns) // NS_PER_S
        last = (beat.began_ns + beat.took_ns - view.t0_ns) // NS_PER_S
        for second in range(max(first, seconds.start), min(last + 1, seconds.stop)):
            worst_s[second] = max(worst_s.get(second, 0.0), beat.took_ns / NS_PER_S)
    unseen = frozenset(seconds) - worst_s.keys() if view.owes_disk else frozenset()
    return DiskHealth(worst_s, unseen, bound(DISK, dict(view.scenario.load.generator)))
