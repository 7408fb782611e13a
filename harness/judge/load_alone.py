"""What a load has seen of a lender whose books nobody has: outcomes and latency, no verdict. Pure.

Whether a refusal was right, a promise was kept, and the money is right, is in the books. What can
be said is what was answered, and whether the plan had intended that.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.clock import NS_PER_MS
from harness.evidence.columnar import Rows
from harness.evidence.rows import DRAWING, MISTAKE, Attempt
from harness.judge.latency import LatencySummary, summary
from harness.judge.told import speaks_of_the_draw
from harness.judge.view import RunView
from harness.load.foreseen import foresee

UNSENT = "never sent"
ENDS = ("granted", "refused", "failed", "unknown", "dropped", UNSENT)
WHOLE = "load"
PHASES = (WHOLE, "baseline", "fault", "watch")
# The plan bars nobody: whom a lender bars all the same is none of the plan's borrowers.
STRANGE = ("unknown-borrower", "barred")
REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of all kinds: how many got an answer, were refused as malformed, were repayments
    that it acknowledged; gateways that were asked and never answered; borrowers it does not know.
    """

    answered: int
    malformed: int
    repaid: int
    silent: tuple[str, ...]
    strangers: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The draws by their last word (ENDS), and what can be told from the answers.

    as_planned: refused draws that were planned to be; against_plan: granted ones that were.
    why: reasons by end, of draws that no plan wanted to end so, the most frequent first.
    latency_ms: from due time to known grant, over granted draws alone; by PHASES.
    """

    planned: int
    ends: Mapping[str, int]
    as_planned: int
    against_plan: int
    why: Mapping[str, Mapping[str, int]]
    latency_ms: Mapping[str, LatencySummary]
    requests: Requests


class Word(NamedTuple):
    """The last that the borrower of a draw heard."""

    end: str
    reason: str | None
    done_ns: int | None


NEVER = Word(UNSENT, None, None)


def seen(view: RunView) -> Seen:
    """From what was planned and what was attempted alone."""
    last = _last_words(view.attempts)
    meant = _meant(view, last)
    ends: Counter[str] = Counter()
    why: dict[str, Counter[str]] = defaultdict(Counter)
    took_ms: dict[str, list[float]] = {phase: [] for phase in PHASES}
    against_plan = 0
    for intent, phase, due_ns in view.intents.columns("intent", "phase", "due_ns"):
        word = last.get(intent, NEVER)
        ends[word.end] += 1
        if word.end == "granted":
            against_plan += intent in meant
            for of in {WHOLE, phase} & took_ms.keys():
                took_ms[of].append(((word.done_ns or 0) - due_ns) / NS_PER_MS)
        elif word is not NEVER and not (word.end == "refused" and intent in meant):
            why[word.end][word.reason or "no reason given"] += 1
    return Seen(
        planned=ends.total(),
        ends={end: ends[end] for end in ENDS if ends[end]},
        as_planned=sum(last.get(intent, NEVER).end == "refused" for intent in meant),
        against_plan=against_plan,
        why={end: dict(why[end].most_common()) for end in ENDS if end in why},
        latency_ms={phase: summary(values) for phase, values in took_ms.items()},
        requests=_requests(view),
    )


def _last_words(attempts: Rows[Attempt]) -> dict[int, Word]:
    """By intent; a poll or a close that did not arrive says nothing of an unknown draw."""
    last: dict[int, Word] = {}
    pressed = attempts.where(kind=DRAWING)
    for intent, kind, *word in pressed.columns("intent", "kind", "outcome", "reason", "done_ns"):
        heard = Word(*word)
        silent = (
            kind != "press" and heard.end == "failed" and not speaks_of_the_draw(kind, heard.reason)
        )
        before = last.get(intent, NEVER).end
        closed = kind == "close" and heard.end == "failed" and before == "refused"
        if not (closed or (silent and before == "unknown")):
            last[intent] = heard
    return last


def _meant(view: RunView, last: Mapping[int, Word]) -> frozenset[int]:
    """The draws that were planned to be refused. Of those that one borrower has due at once it is
    planned how many, and not which: those that were."""
    if not view.population:
        return frozenset()
    fates = foresee(view.population, view.intents, view.repay_intents, (), 0)
    due = zip(view.intents.columns("borrower", "due_ns"), fates, strict=True)
    many = Counter(crowd for crowd, fate in due if fate == "refused")
    crowds: dict[tuple[int, int], list[int]] = defaultdict(list)
    for intent, borrower, due_ns in view.intents.columns("intent", "borrower", "due_ns"):
        if (borrower, due_ns) in many:
            crowds[borrower, due_ns].append(intent)
    found: set[int] = set()
    for crowd, intents in crowds.items():
        refused_first = sorted(intents, key=lambda one: last.get(one, NEVER).end != "refused")
        found.update(refused_first[: many[crowd]])
    return frozenset(found)


def _requests(view: RunView) -> Requests:
    attempts = view.attempts
    unanswered = attempts.where(status=0).counts("replica")
    strange = set(attempts.where(reason=STRANGE).column("intent"))
    reasons = attempts.counts("reason")
    return Requests(
        answered=len(attempts) - unanswered.total(),
        malformed=sum(n for why, n in reasons.items() if why and why.startswith(MISTAKE)),
        repaid=attempts.counts("outcome")["repaid"],
        silent=tuple(
            sorted(
                name
                for name, count in attempts.counts("replica").items()
                if name and unanswered[name] == count  # a draw that was dropped has no gateway
            )
        ),
        strangers=len(set(view.intents.where(intent=strange).column("borrower"))),
    )


def outcomes(saw: Seen) -> str:
    """`23 granted, 479 refused (11 as planned; 468 not: barred 468); granted within ...`."""
    words = [_end(saw, end, count) for end, count in saw.ends.items()]
    return ", ".join(words) or "nothing was offered"


def _end(saw: Seen, end: str, count: int) -> str:
    text = f"{count:,} {end}"
    reasons = [f"{why} {n:,}" for why, n in saw.why.get(end, {}).items()]
    more = f" and {len(reasons) - REASONS_SHOWN} more" if len(reasons) > REASONS_SHOWN else ""
    given = ", ".join(reasons[:REASONS_SHOWN]) + more
    if end == "granted" and saw.against_plan:
        return f"{text} ({saw.against_plan:,} of them were planned to be refused)"
    if end == "refused" and saw.as_planned and given:
        return f"{text} ({saw.as_planned:,} as planned; {count - saw.as_planned:,} not: {given})"
    if end == "refused" and not given:
        return f"{text} (all as planned)"
    return f"{text} ({given})" if given else text


def latency_words(one: LatencySummary) -> str:
    """`p50 12 ms, p95 40 ms of 487 granted`; those quantiles for which there are enough."""
    found = [f"{name} {value:.0f} ms" for name, value in one.quantiles.items() if value is not None]
    return f"{', '.join(found) or 'too few for a quantile'} of {one.count:,} granted"


def useless(saw: Seen) -> list[str]:
    """Why such a load says nothing about the lender; none if it may."""
    found = []
    if not saw.requests.answered:
        found.append("no gateway has answered anything")
    elif saw.requests.silent:
        found.append(f"never answered: {', '.join(saw.requests.silent)}")
    if saw.requests.strangers:
        found.append(
            f"{saw.requests.strangers:,} of the plan's borrowers are unknown to the lender, or "
            "barred there; a mock lender that knows them: `drawproof lender up --scenario FILE`"
        )
    if saw.requests.malformed:
        found.append(f"{saw.requests.malformed:,} requests were refused as malformed")
    if saw.ends.get("dropped"):
        found.append(f"{saw.ends['dropped']:,} draws were dropped: too many were in flight")
    return found
