"""One borrower's patience with one intent: when it presses, polls, waits, closes, repays, gives up.

Generators of actions, so that they can be tested without a clock or a network: each yields what to
do next and is sent what came of it. Every attempt at a draw carries the intent's one key, every
attempt at its repayment the repayment's.
"""

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from harness.clock import NS_PER_S
from harness.evidence.rows import RepayIntent
from harness.load.outcome import CLOSED, Answer
from harness.scenario.model import Patience
from harness.seeds import Dice

LATE_POLL_S = 1.0
VOIDED = "voided"
# What a poll is told that finds nothing paid, of a key that nobody has heard of or whose tries have
# all ended: so far, for a press may be on its way.
SO_FAR = ("unknown-key", VOIDED)


@dataclass(frozen=True, slots=True)
class Act:
    """At `at_ns` (or now, if that has passed) make an attempt, waiting at most `timeout_s` for it.

    n counts from 1 within its kind. moved: how often the borrower has turned to another gateway
    by then, since one did not answer or could not help. deadline_ms goes into X-Deadline-Ms. owed:
    what a repayment gives back, and its key.
    """

    kind: Literal["press", "poll", "close", "repay"]
    n: int
    moved: int
    at_ns: int
    timeout_s: float
    deadline_ms: int
    owed: RepayIntent | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """What came of an act, and when it was known."""

    answer: Answer
    done_ns: int


Acts = Generator[Act, Came, Answer]


def journey(draw: Acts, repay: Callable[[int], Acts] | None, until_ns: int) -> Acts:
    """A draw, and its repayment if it was granted; returns the last answer to the draw.

    `repay` is given when the grant was known, ns; None: this borrower repays nothing. Nobody begins
    to repay what was granted at `until_ns` or later.
    """
    act = next(draw)
    while True:
        came = yield act
        try:
            act = draw.send(came)
        except StopIteration as over:
            last: Answer = over.value
            break
    if last.outcome == "granted" and repay is not None and came.done_ns < until_ns:
        yield from repay(came.done_ns)
    return last


def repaying(
    owed: RepayIntent,
    due_ns: int,
    rules: Patience,
    dice: random.Random | Dice,
    give_up: Callable[[], bool],
) -> Acts:
    """Acts of one repayment, from `due_ns` on: asked again with its one key until it is known.

    What failed for certain is tried again as often as a draw is pressed, within the same patience
    counted from `due_ns`. What is unknown is asked for until `give_up` says so: pressing the key
    again is the way to ask. Once anything was unknown, a later failure says nothing of it.
    """
    deadline_ns = due_ns + int(rules.deadline_s * NS_PER_S)
    at_ns, n, moved, unknown = due_ns, 0, 0, False
    while True:
        n += 1
        limit_s = rules.attempt_timeout_s
        came = yield Act("repay", n, moved, at_ns, limit_s, max(1, int(limit_s * 1000)), owed)
        answer, now_ns = came.answer, came.done_ns
        if answer.over:
            return answer
        moved += _moves(answer)
        unknown = unknown or answer.outcome == "unknown"
        late = now_ns >= deadline_ns
        if unknown:
            if late and give_up():
                return answer
            pause_s = LATE_POLL_S if late else rules.poll_s
        elif late or n > rules.retries:
            return answer
        else:
            pause_s = dice.uniform(rules.pause_low_s, rules.pause_high_s)
            pause_s = max(pause_s, answer.come_back_s)
        at_ns = now_ns + int(pause_s * NS_PER_S)


def patience(
    due_ns: int, rules: Patience, dice: random.Random | Dice, give_up: Callable[[], bool]
) -> Acts:
    """Acts of one intent, until it has ended; returns its last answer.

    Up to the deadline it presses again after what failed for certain, and polls what is unknown.
    After the deadline it presses no more, but still polls an unknown until `give_up` says so, that
    a grant that came late is learned. What has come to nothing so far may be pressed again; after
    the deadline it is closed, for an earlier press may still wait in some queue and be paid. Of a
    draw that is closed the last word is what its last press was told, where that was a refusal.
    """
    deadline_ns = due_ns + int(rules.deadline_s * NS_PER_S)
    made: Counter[str] = Counter()
    moved, at_ns = 0, due_ns
    kind: Literal["press", "poll", "close"] = "press"
    unknown = lost = False
    refused: Answer | None = None
    while True:
        made[kind] += 1
        limit_s = rules.attempt_timeout_s
        if at_ns < deadline_ns:
            limit_s = min(limit_s, (deadline_ns - at_ns) / NS_PER_S)
        act = Act(kind, made[kind], moved, at_ns, limit_s, max(1, int(limit_s * 1000)))
        came = yield act
        answer, now_ns = came.answer, came.done_ns
        if answer.over:
            return refused if refused is not None and answer.reason == CLOSED else answer
        if kind == "press":
            refused = answer if answer.outcome == "refused" else None
        moved += _moves(answer)
        unknown = answer.outcome == "unknown" or (unknown and _says_nothing(answer, act))
        if answer.outcome == "unknown" and answer.reason in SO_FAR:
            unknown, lost = False, True
        if not unknown and made["press"] <= rules.retries and now_ns < deadline_ns:
            pause_s = max(dice.uniform(rules.pause_low_s, rules.pause_high_s), answer.come_back_s)
            at_ns = now_ns + int(pause_s * NS_PER_S)
            kind = "press"
            if at_ns < deadline_ns:
                continue
        late = now_ns >= deadline_ns
        if not (unknown or lost) or (late and give_up()):
            return answer
        kind = "poll" if unknown or not late else "close"
        unknown = True
        at_ns = now_ns + int((LATE_POLL_S if late else rules.poll_s) * NS_PER_S)


def _moves(answer: Answer) -> bool:
    """Is another gateway asked next? Not while this one answers: it knows of the draw, or that
    nobody does."""
    return not (answer.working or answer.reason in SO_FAR)


def _says_nothing(answer: Answer, act: Act) -> bool:
    """A question that failed to reach the lender says nothing about the draw it asked for."""
    return act.kind != "press" and answer.outcome == "failed" and answer.reason != VOIDED
