"""How much it hurt, and whom: goodput, money blocked for how long, blast radius, straddlers.

Pure sums over the judged intents; a ratio of nothing is null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
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
    shown_age_ms: int | None = None


# By when the grant was known.
GRANTED = """
SELECT count(*) FILTER (granted_ns >= $from_ns AND granted_ns < $to_ns), count(*)
FROM ends WHERE promised
"""
BLOCKED = """
SELECT coalesce(sum(amount_fen::HUGEINT
    * greatest(0, least(coalesce(paid_ns, $end_ns), $end_ns) - due_ns)::HUGEINT), 0)
FROM ends WHERE "end" IN ('broken', 'broken_late') AND {where}
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


# As the generator writes down what a look was answered.
SHOWN = r"""
SELECT max(try_cast(regexp_extract(reason, '^([0-9]{1,15}) ms old$', 1) AS BIGINT)) FROM attempts
WHERE kind = 'look' AND outcome = 'granted' AND reason IS NOT NULL
"""


def harm(view: RunView, ends: Sequence[IntentEnd]) -> Harm:
    """All of it."""
    return Harm(
        goodput=goodput(view, ends),
        blocked_yuan_minutes=blocked_yuan_minutes(view, ends),
        blast=blast(view, ends),
        straddling=straddling(view, ends),
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

    def rate(from_s: float, to_s: float) -> float | None:
        at = {
            "from_ns": view.t0_ns + int(from_s * NS_PER_S),
            "to_ns": view.t0_ns + int(to_s * NS_PER_S),
        }
        granted, promised = view.books.one(GRANTED, at, ends=whole)
        known = promised and from_s < to_s <= reached_s
        return round(granted / (to_s - from_s), 4) if known else None

    return {
        "drill": rate(0, plan.load_s),
        **{phase: rate(plan.start_s(phase), plan.end_s(phase)) for phase in OF_PHASE},
    }


def blocked_yuan_minutes(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, float | None]:
    """Money-minutes blocked: the sum of each amount times how long it was, in yuan times minutes,
    from when it was due until it was paid, or until the end of the drain.

    Over broken draws, late ones too. Null when the run has no end of its drain.
    """
    found: dict[str, float | None] = {}
    for phase, where in {"drill": "true", **OF_PHASE}.items():
        found[phase] = None
        if view.drain_end_ns is not None:
            question = BLOCKED.format(where=where)
            at = {"end_ns": view.drain_end_ns}
            (fen_ns,) = view.books.one(question, at, ends=Ends.of(ends))
            found[phase] = round(fen_ns / FEN_NS_PER_YUAN_MINUTE, 4)
    return found


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


def shown_age_ms(view: RunView) -> int | None:
    """How old the oldest quota was that was shown, by its own word, ms.

    Over looks that were answered, whole drill. Null when nobody looked, or no answer said its age.
    """
    (found,) = view.books.one(SHOWN)
    return None if found is None else int(found)
