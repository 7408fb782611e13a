"""What each fault cost: of the draws that it touched, how many broke, how much money that was, and
how much later the others were granted than in baseline. A draw that two faults touched is at both.
Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from statistics import median

from harness.clock import NS_PER_MS
from harness.judge.parts import Parts
from harness.judge.view import RunView

# Of fewer a median says nothing.
GRANTED_MIN = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one fault. *_p50_ms: from the due time to the known grant, over granted draws alone; None
    of fewer than ten."""

    fault: str
    touched: int
    broken: int
    broken_fen: int
    touched_p50_ms: float | None
    usual_p50_ms: float | None

    @property
    def slower_ms(self) -> float | None:
        """Than in baseline; less than 0: quicker."""
        if self.touched_p50_ms is None or self.usual_p50_ms is None:
            return None
        return self.touched_p50_ms - self.usual_p50_ms


def costs(view: RunView, parts: Parts) -> tuple[Cost, ...]:
    """In the order of the scenario's faults."""
    usual = _granted_p50_ms(
        parts, {one.intent.intent for one in parts.ends if one.intent.phase == "baseline"}
    )
    found = []
    for fault in view.faults:
        touched = parts.exposure[fault.name].intents
        broken = [e for e in parts.ends if e.broken and e.intent.intent in touched]
        found.append(
            Cost(
                fault=fault.name,
                touched=len(touched),
                broken=len(broken),
                broken_fen=sum(one.intent.amount_fen for one in broken),
                touched_p50_ms=_granted_p50_ms(parts, touched),
                usual_p50_ms=usual,
            )
        )
    return tuple(found)


def _granted_p50_ms(parts: Parts, intents: Collection[int]) -> float | None:
    values_ms = [
        (one.granted_ns - one.intent.due_ns) / NS_PER_MS
        for one in parts.ends
        if one.granted_ns is not None and one.intent.intent in intents
    ]
    return median(values_ms) if len(values_ms) >= GRANTED_MIN else None
