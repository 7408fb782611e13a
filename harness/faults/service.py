"""Faults of single calls to a service: late, lost, refused, wrong, twice, or from the past.

They are seen from outside by fifty calls of our own to the faulted operation or more, which a well
service refuses at once because they ask for nothing.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.faults.fault import Healer, Sighting, Surroundings
from harness.faults.planted import Planted
from harness.faults.records import seen_times
from harness.faults.service_probes import AT_ONCE, Probed, Prober, role_of, sound
from harness.faults.shares import believed, interval, probes_for

Kind = Literal["late", "late_reply", "lost_reply", "error", "wrong", "duplicate", "stale"]
SILENT_S = 0.25
# What is waited for an answer that comes, however busy the machine is.
ANSWER_S = 1.0
# Of fifty well calls so many may be slow on a busy machine.
SLOW_BY_CHANCE = 2


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to a call that is hit; the rest of it is at its ease.

    latency_s: of late, late_reply, and of the second delivery of a duplicate; with sigma the median
    of a log-normal. silent: a lost reply is not even hung up on. status, certain, done: of an
    error: what it says, and whether the work was done all the same. how: a wrong answer is
    `malformed`, `empty` or `contradicting`.
    """

    kind: Kind
    latency_s: float = 0.0
    sigma: float = 0.0
    silent: bool = False
    status: int = 500
    certain: bool = False
    done: bool = False
    how: str = "malformed"

    @property
    def silent_s(self) -> float:
        """After how long a probe without an answer was hit."""
        return min(SILENT_S, self.latency_s / 2) if self.latency_s else SILENT_S

    @property
    def later_share(self) -> float:
        """Which share of the calls that are hit is later than that."""
        if not self.sigma:
            return 1.0
        deviations = math.log(self.silent_s / self.latency_s) / self.sigma
        return 0.5 * math.erfc(deviations / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class ServiceFault(Planted):
    """A share of the calls to one operation of a replica or bank.

    nth: only the n-th call for a draw; 0: any. draw: only calls for the draw with this key; empty:
    any.
    """

    target: str
    operation: str
    share: float
    nth: int
    draw: str
    effect: Effect
    for_s: float
    name: str
    healer: Healer = "nemesis"
    expected: float = field(init=False, compare=False)  # share of the probes that is to be hit

    def __post_init__(self) -> None:
        object.__setattr__(self, "expected", self.share * self.effect.later_share)

    @property
    def look_s_max(self) -> float:
        """The hit ones wait, a few at once; a duplicate is waited for after all of them."""
        _, most = interval(probes_for(self.expected), self.expected)
        waits = (most / AT_ONCE + 1) * self.effect.silent_s * max(1, self.nth)
        later_s = self.effect.latency_s if self.effect.kind == "duplicate" else 0.0
        return waits + later_s + 0.5

    @property
    def bites_within_s(self) -> float:
        return max(3.0, 2 * self.look_s_max + 1.0)

    def planted(self) -> Mapping[str, object]:
        effect = self.effect
        return {
            "kind": effect.kind, "operation": self.operation, "share": self.share,
            "nth": self.nth, "draw": self.draw, "latency_s": effect.latency_s,
            "sigma": effect.sigma, "silent": effect.silent, "status": effect.status,
            "certain": effect.certain, "done": effect.done, "how": effect.how,
        }  # fmt: skip

    def observe(self, around: Surroundings) -> Sighting:
        """Fifty calls of our own or more. A share is believed within its binomial interval, and
        gone when nothing is hit; what lies between is not known."""
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        prober = Prober(address, role_of(self.target), self.operation, self.name)
        came = prober.many(probes_for(self.expected), self._act)
        if all(one.came == "refused" for one in came):
            return Sighting(at_ns, False, f"{self.target} is gone, and its faults with it")
        hits = self._hits(around, came)
        hit = sum(hits)
        detail = f"{hit} of {len(hits)} calls of our own were hit"
        if len(hits) < len(came) / 2:
            return Sighting(at_ns, None, f"only {detail}: the others were not answered")
        if believed(hit, len(hits), self.expected):
            return Sighting(at_ns, True, detail)
        by_chance = SLOW_BY_CHANCE if self.effect.latency_s else 0
        return Sighting(at_ns, False if hit <= by_chance else None, detail)

    def _act(self, prober: Prober, key: str) -> Probed:
        """The last of as many calls for a draw as it takes to be hit."""
        kind = self.effect.kind
        timed = kind in ("late", "late_reply", "lost_reply")
        timeout_s = self.effect.silent_s if timed else ANSWER_S
        for _ in range(max(1, self.nth) - 1):
            prober.once(key, ANSWER_S)
        if kind != "stale":
            return prober.once(key, timeout_s)
        first, second = prober.once(key, timeout_s), prober.once(key, timeout_s)
        replayed = first.worked_ns == second.worked_ns != ""
        return Probed(second.came, second.status, {"replayed": replayed}, key=key)

    def _hits(self, around: Surroundings, came: Sequence[Probed]) -> list[bool]:
        """Of the calls that say anything: was it hit?"""
        kind = self.effect.kind
        if kind in ("late", "late_reply", "lost_reply"):
            return [one.came != "answered" for one in came if one.came != "refused"]
        answered = [one for one in came if one.came == "answered"]
        if kind == "duplicate":
            keys = [one.key for one in answered]
            times = seen_times(around.records(self.target), keys, 2, self.effect.latency_s)
            return [times[key] > 1 for key in keys]
        if kind == "error":
            return [one.status == self.effect.status for one in answered]
        if kind == "stale":
            return [bool(one.body and one.body["replayed"]) for one in answered]
        return [not sound(one) for one in answered]
