"""One borrower's patience with one intent: when it presses, polls, waits, gives up.

A generator of actions, so that it can be tested without a clock or a network: it yields what to
do next and is sent what came of it. Every attempt carries the intent's one key.
"""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from harness.clock import NS_PER_S
from harness.load.outcome import Answer
from harness.scenario.model import Patience

LATE_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Act:
    """At `at_ns` (or now, if that has passed) make an attempt, waiting at most `timeout_s` for it.

    n counts from 1 within its kind. deadline_ms goes into X-Deadline-Ms.
    """

    kind: Literal["press", "poll"]
    n: int
    at_ns: int
    timeout_s: float
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Came:
    """What came of an act, and when it was known."""

    answer: Answer
    done_ns: int


def patience(
    due_ns: int, rules: Patience, dice: random.Random, give_up: Callable[[], bool]
) -> Generator[Act, Came, Answer]:
    """Acts of one intent, until it has ended; returns its last answer.

    Up to the deadline it presses again after what failed for certain, and polls what is unknown.
    After the deadline it presses no more, but still polls an unknown until `give_up` says so, that
    a grant that came late is learned.
    """
    deadline_ns = due_ns + int(rules.deadline_s * NS_PER_S)
    presses, polls = 0, 0
    at_ns = due_ns
    unknown = lost = False
    while True:
        press = not unknown
        if press:
            presses += 1
        else:
            polls += 1
        limit_s = rules.attempt_timeout_s
        if at_ns < deadline_ns:
            limit_s = min(limit_s, (deadline_ns - at_ns) / NS_PER_S)
        act = Act(
            "press" if press else "poll", presses if press else polls, at_ns, limit_s,
            max(1, int(limit_s * 1000)),
        )  # fmt: skip
        came = yield act
        answer, now_ns = came.answer, came.done_ns
        if answer.over:
            return answer
        may_press = presses <= rules.retries and now_ns < deadline_ns
        gone = answer.outcome == "unknown" and answer.reason == "unknown-key"
        unknown = answer.outcome == "unknown" or (unknown and _says_nothing(answer, act))
        if unknown and gone and may_press:
            # Nobody has heard of it, so the same key may be pressed again; but the first press
            # may still wait in some queue, and must be asked for in the end.
            unknown, lost = False, True
        elif lost and not may_press:
            unknown = True
        if unknown:
            pause_s = rules.poll_s if now_ns < deadline_ns else LATE_POLL_S
            if now_ns >= deadline_ns and give_up():
                return answer
        elif may_press:
            pause_s = dice.uniform(rules.pause_low_s, rules.pause_high_s)
            if now_ns + pause_s * NS_PER_S >= deadline_ns:
                return answer
        else:
            return answer
        at_ns = now_ns + int(pause_s * NS_PER_S)


def _says_nothing(answer: Answer, act: Act) -> bool:
    """A poll that failed to reach the lender says nothing about the draw it asked for."""
    return act.kind == "poll" and answer.outcome == "failed" and answer.reason != "voided"
