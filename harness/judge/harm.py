"""How much it hurt, and whom: goodput, money blocked for how long, blast radius, straddlers.

Pure sums over the judged intents; a ratio of nothing is null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.rows import is_of_phase
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
from harness.judge.shown import shown_age_ms
from harness.judge.spillover import spillover
from harness.judge.view import RunView

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
    spillover: float | None = None
    shown_age_ms: int | None = None


# By when the grant was known: of each span, which are a list of from and to.
GRANTED = """
SELECT count(*), {spans} FROM ends WHERE promised
"""
GRANTED_IN = "count(*) FILTER (granted_ns >= {} AND granted_ns < {})"
BLOCKED = """
SELECT phase, straddling, coalesce(sum(amount_fen::HUGEINT
    * greatest(0, least(coalesce(paid_ns, $end_ns), $end_ns) - due_ns)::HUGEINT), 0)
FROM ends WHERE "end" IN ('broken', 'broken_late') GROUP BY phase, straddling
"""
BLAST = """
SELECT count(DISTINCT borrower) FILTER ("end" IN ('broken', 'broken_late')),
    count(DISTINCT borrower)
FROM ends WHERE {where}
"""
STRADDLING = """
SELECT count(*), count(*) FILTER (promised),
    count(*) FILTER ("end" IN ('broken', 'broken_late'))
FROM ends WHERE straddling
"""


def harm(view: RunView, ends: Sequence[IntentEnd]) -> Harm:
    """All of it."""
    return Harm(
        goodput=goodput(view, ends),
        blocked_yuan_minutes=blocked_yuan_minutes(view, ends),
        blast=blast(view, ends),
        straddling=straddling(view, ends),
        spillover=spillover(view, ends),
        shown_age_ms=shown_age_ms(view),
    )


def goodput(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, float | None]:
    """Promised draws that became known to be granted within a phase ÷ its seconds.

    Over promised draws, by when the grant was known and not by when they were due; late grants
    count where they fall. `drill` is all of the load, without the drain. Null for a phase that the
    run has not come to the end of, or when nothing was promised.
    """
    plan, whole = view.scenario.phases, Ends.of(ends)
    reached_s = plan.load_s
    if view.ended != "complete":
        reached_s = ((view.load_end_ns or view.t0_ns) - view.t0_ns) / NS_PER_S

    spans_s = {phase: (plan.start_s(phase), plan.end_s(phase)) for phase in OF_PHASE}
    spans_s = {"drill": (0, plan.load_s), **spans_s}
    spans_ns = [[view.t0_ns + int(at_s * NS_PER_S) for at_s in span] for span in spans_s.values()]
    question = GRANTED.format(spans=", ".join(GRANTED_IN.format(*span) for span in spans_ns))
    promised, *granted = view.books.one(question, ends=whole)
    return {
        name: round(times / (to_s - from_s), 4) if promised and from_s < to_s <= reached_s else None
        for times, (name, (from_s, to_s)) in zip(granted, spans_s.items(), strict=True)
    }


def blocked_yuan_minutes(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, float | None]:
    """Money-minutes blocked: the sum of each amount times how long it was, in yuan times minutes,
    from when it was due until it was paid, or until the end of the drain.

    Over broken draws, late ones too. Null when the run has no end of its drain.
    """
    if view.drain_end_ns is None:
        return dict.fromkeys(("drill", *OF_PHASE))
    rows = view.books.ask(BLOCKED, {"end_ns": view.drain_end_ns}, ends=Ends.of(ends))
    fen_ns = {"drill": sum(mine for _, _, mine in rows)}
    for phase in OF_PHASE:
        of_it = [mine for due, over, mine in rows if is_of_phase(due, phase, straddling=over)]
        fen_ns[phase] = sum(of_it)
    return {name: round(mine / FEN_NS_PER_YUAN_MINUTE, 4) for name, mine in fen_ns.items()}


def blast(view: RunView, ends: Sequence[IntentEnd]) -> Blast:
    """The borrowers of the fault phase."""
    question = BLAST.format(where=OF_PHASE["fault"])
    return Blast(*view.books.one(question, ends=Ends.of(ends)))


def straddling(view: RunView, ends: Sequence[IntentEnd]) -> Straddling:
    """Draws due within one attempt_timeout before the first planned bite: their last attempt may
    meet the fault, so they count in the fault phase and the totals, never in the baseline.

    Over all scheduled draws: how many, and how many of them were promised, and broken.
    """
    return Straddling(*view.books.one(STRADDLING, ends=Ends.of(ends)))
