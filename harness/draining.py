"""The end of the load: what is in flight ends, or is given up; then its evidence is handed over.

One loop for a drill that came to its end and for one that was ended early: `look` is what differs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.load.attack import Attack, Progress
from harness.load.plan import LOST_AFTER_S
from harness.target.protocol import Target

TICK_S = 0.2
RESTING_LOOKS = 5
# What a worker needs to hand over its last, or the master to know that it never will. A worker
# without CPU is heard again within this or is lost, and then that is written down.
WORKERS_END_S = LOST_AFTER_S + 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a drain is over, ns. patient: nobody presses any more. give_up: no unknown is asked for
    any more. end: whoever has not handed over his evidence by then never will."""

    patient_ns: int
    give_up_ns: int
    end_ns: int

    @classmethod
    def after(
        cls, load_end_ns: int, patience_s: float, resolve_s: float, attempt_s: float
    ) -> "Bounds":
        """patience_s: of a borrower, from the end of load. resolve_s: how long after that the
        lender may take over what nobody waits for. attempt_s: of the last attempt, at most."""
        patient_ns = load_end_ns + round(patience_s * NS_PER_S)
        give_up_ns = patient_ns + round(resolve_s * NS_PER_S)
        end_ns = give_up_ns + round((attempt_s + WORKERS_END_S) * NS_PER_S)
        return cls(patient_ns, give_up_ns, end_ns)


def drain(
    attack: Attack,
    target: Target,
    bounds: Bounds,
    look: Callable[[], Progress | None],
    *,
    holds: bool = True,
) -> bool:
    """True once nothing is in flight, no hold is open (with `holds`) and the load's evidence is
    whole; False: it took too long, or `look` says by None that the load's master is gone."""
    resting, given_up = 0, False
    while (now_ns := time.monotonic_ns()) < bounds.end_ns:
        progress = look()
        if progress is None:
            return False
        if progress.finished and (not holds or target.pending() == 0):
            return True
        # Once nobody may press any more and no draw is on its way, asking on is of no use.
        if now_ns > bounds.patient_ns + TICK_S * NS_PER_S:
            resting = resting + 1 if target.at_rest() else 0
        if not given_up and (resting >= RESTING_LOOKS or now_ns > bounds.give_up_ns):
            given_up = True
            attack.give_up()
        time.sleep(TICK_S)
    return False
