"""Faults by policies of risk: a tightening, a cut of limits, a market under stress.

Entries of the rule book like those of rules.py, each dated `lead_s` after it is entered: a lender
with early warnings sees it there and tells its borrowers, another one when they are refused.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.faults.fault import Sighting, Surroundings
from harness.faults.probes import answer
from harness.faults.rules import ASK_S, NOBODY, BookFault, by_all, refuses
from harness.faults.service_shut import REACHED, told_in_metrics
from harness.faults.service_wide import METRICS_S

BP = 10_000
# Below so many points nobody is in a calm market; see docs/scenario-format.md.
CUTOFF = 1_500
PROBES = 30
BITES_WITHIN_S = 2.0
PROBE_S = 0.05


@dataclass(frozen=True, slots=True)
class PolicyFault(BookFault):
    """A policy that is in the book `lead_s` before it is obeyed. announced: borrowers are told as
    it is entered, whatever the lender's warnings."""

    announced: bool = False
    lead_s: float = 0.0
    edge_or_replica: str = "gateway->risk"
    look_s_max: float = 2 * (ASK_S + METRICS_S) + 0.2

    def __post_init__(self) -> None:
        """It can't bite before its date."""
        object.__setattr__(self, "bites_within_s", self.lead_s + BITES_WITHIN_S)

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        dates = {"in_force_s": self.lead_s, "adopted_s": self.lead_s}
        return [{"kind": "risk", "announced": self.announced, **dates, **self.policy}]

    @property
    def policy(self) -> Mapping[str, object]:
        """What it says, as the console takes it."""
        raise NotImplementedError

    def _obeyed_by(
        self, around: Surroundings, look: Callable[[tuple[str, int]], bool | None], what: str
    ) -> Sighting:
        """By all risk replicas that the book reaches: one to which its push is lost is not asked
        for what it can't know."""

        def reached(where: tuple[str, int]) -> bool | None:
            said = look(where)
            return None if said is False and told_in_metrics(where, REACHED) == "0" else said

        return by_all(around, "risk", reached, what)


@dataclass(frozen=True, slots=True)
class Tightening(PolicyFault):
    """Of the `share` of the borrowers with the lowest scores, draws above `above_fen` are refused;
    or their limits are cut by `cut` (above 0)."""

    above_fen: int = 0
    share: float = 1.0
    cut: float = 0.0

    @property
    def policy(self) -> Mapping[str, object]:
        who = {} if self.share >= 1 else {"score_share": self.share}
        if self.cut:
            return {**who, "keep_bp": self._keep_bp}
        return {**who, "above_fen": self.above_fen}

    @property
    def _keep_bp(self) -> int:
        return BP - round(self.cut * BP)

    def observe(self, around: Surroundings) -> Sighting:
        """Each risk replica is asked about somebody whom nobody knows, and who has no points."""
        if self.cut:
            return self._obeyed_by(around, self._cuts, "cut limits")
        asked = {"borrower": NOBODY, "amount_fen": self.above_fen + 1}
        return self._obeyed_by(
            around, lambda where: refuses(where, "/decide", asked, "tightened"), "refuse"
        )

    def _cuts(self, where: tuple[str, int]) -> bool | None:
        said = answer(where, "POST", "/decide", {"borrower": NOBODY, "amount_fen": 1}, ASK_S)
        return None if said is None or said[0] != 200 else said[1].get("limit_bp") == self._keep_bp


@dataclass(frozen=True, slots=True)
class Stress(PolicyFault):
    """The market is under stress of a `level`, 0 to 1: risk refuses whom it leaves few points."""

    level: float = 0.0
    look_s_max: float = PROBES * PROBE_S + 2 * (ASK_S + METRICS_S)

    @property
    def policy(self) -> Mapping[str, object]:
        return {"stress_bp": round(self.level * BP), "score_below": CUTOFF}

    def observe(self, around: Surroundings) -> Sighting:
        """Each replica is asked about somebody without points, who is refused by all or by none;
        then thirty borrowers are, the replicas in turn, and how many are refused is said."""
        asked = {"borrower": NOBODY, "amount_fen": 1}
        reason = "market-stress"
        seen = self._obeyed_by(
            around, lambda where: refuses(where, "/decide", asked, reason), "refuse"
        )
        replicas, hit = around.replicas("risk"), 0
        until_s = time.monotonic() + PROBES * PROBE_S
        for number in range(PROBES):
            where = around.replica_address(replicas[number % len(replicas)])
            one = {"borrower": number + 1, "amount_fen": 1}
            hit += refuses(where, "/decide", one, reason) is True
            if time.monotonic() > until_s:
                break
        return Sighting(
            seen.at_ns, seen.bites, f"{seen.detail}; {hit} of {number + 1} borrowers are refused"
        )
