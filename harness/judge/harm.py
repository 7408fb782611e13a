"""How much it hurt, and whom: goodput, money blocked for how long, blast radius, straddlers.

Pure sums over the judged intents; a ratio of nothing is null.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.judge.ends import IntentEnd
from harness.judge.guarantee import of_phase
from harness.judge.view import RunView
from harness.scenario.model import PHASES

FEN_NS_PER_YUAN_MINUTE = 100 * 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Straddling:
    """Intents due within one attempt_timeout before the first planned bite: counts."""

    intents: int
    promised: int
    broken: int


@dataclass(frozen=True, slots=True)
class Blast:
    """Borrowers: with a broken draw due in the fault phase, and with any draw due there."""

    hit: int
    due: int

    @property
    def radius(self) -> float | None:
        """Borrowers with a broken draw due in the fault phase ÷ borrowers with one due there.

        Over all scheduled draws of the fault phase, those that straddle its first bite too. Null
        when none was due.
        """
        return self.hit / self.due if self.due else None


@dataclass(frozen=True, slots=True)
class Harm:
    """goodput: by phase, and `drill`. blocked: yuan-minutes by phase, and `drill`."""

    goodput: Mapping[str, float | None]
    blocked_yuan_minutes: Mapping[str, float | None]
    blast: Blast
    straddling: Straddling


def harm(view: RunView, ends: Sequence[IntentEnd]) -> Harm:
    """All of it."""
    return Harm(
        goodput=goodput(view, ends),
        blocked_yuan_minutes={
            "drill": blocked_yuan_minutes(view, ends),
            **{
                phase: blocked_yuan_minutes(view, of_phase(ends, phase))
                for phase in ("baseline", "fault", "watch")
            },
        },
        blast=blast(ends),
        straddling=straddling(ends),
    )


def goodput(view: RunView, ends: Iterable[IntentEnd]) -> dict[str, float | None]:
    """Promised draws that became known to be granted within a phase ÷ its seconds.

    Over promised draws, by when the grant was known and not by when they were due; late grants
    count where they fall. `drill` is all of the load, without the drain. Null for a phase that the
    run has not come to the end of, or when nothing was promised.
    """
    plan = view.scenario.phases
    granted: Counter[str] = Counter()
    promised = 0
    for end in ends:
        if end.promised:
            promised += 1
            if end.granted_ns is not None:
                granted[plan.phase_at((end.granted_ns - view.t0_ns) / NS_PER_S)] += 1
    reached_s = plan.load_s
    if view.ended != "complete":
        reached_s = ((view.load_end_ns or view.t0_ns) - view.t0_ns) / NS_PER_S

    def rate(count: int, from_s: float, to_s: float) -> float | None:
        whole = promised and to_s <= reached_s and to_s > from_s
        return round(count / (to_s - from_s), 4) if whole else None

    return {
        "drill": rate(sum(granted[phase] for phase in PHASES), 0, plan.load_s),
        **{
            phase: rate(granted[phase], plan.start_s(phase), plan.end_s(phase))
            for phase in ("baseline", "fault", "watch")
        },
    }


def blocked_yuan_minutes(view: RunView, ends: Iterable[IntentEnd]) -> float | None:
    """Money-minutes blocked: the sum of each amount times how long it was, in yuan times minutes,
    from when it was due until it was paid, or until the end of the drain.

    Over broken draws, late ones too. Null when the run has no end of its drain.
    """
    if view.drain_end_ns is None:
        return None
    fen_ns = 0
    for end in ends:
        if end.broken:
            paid_ns = view.drain_end_ns if end.paid_ns is None else end.paid_ns
            until_ns = min(paid_ns, view.drain_end_ns)
            fen_ns += end.intent.amount_fen * max(0, until_ns - end.intent.due_ns)
    return round(fen_ns / FEN_NS_PER_YUAN_MINUTE, 4)


def blast(ends: Iterable[IntentEnd]) -> Blast:
    """The borrowers of the fault phase."""
    hit, due = set(), set()
    for end in ends:
        if end.intent.counts_in("fault"):
            due.add(end.intent.borrower)
            if end.broken:
                hit.add(end.intent.borrower)
    return Blast(len(hit), len(due))


def straddling(ends: Iterable[IntentEnd]) -> Straddling:
    """Draws due within one attempt_timeout before the first planned bite: their last attempt may
    meet the fault, so they count in the fault phase and the totals, never in the baseline.

    Over all scheduled draws: how many, and how many of them were promised, and broken.
    """
    found = [end for end in ends if end.intent.straddling]
    return Straddling(
        intents=len(found),
        promised=sum(end.promised for end in found),
        broken=sum(end.broken for end in found),
    )
