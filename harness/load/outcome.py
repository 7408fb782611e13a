"""What an answer means: the table of answers, and nothing else. Pure.

granted, refused (a business answer), failed (certain: nothing happened), unknown (what was sent
may have worked); repaid is what granted is for a repayment. When in doubt it is unknown.
`dropped` is the generator's own: it was never sent, because as many draws were in flight as a
worker may have; nothing about the lender follows from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.evidence.rows import MACHINE, MISTAKE

Outcome = Literal["granted", "repaid", "refused", "failed", "unknown", "dropped"]
# Nobody is sent away for longer, whatever is said.
COME_BACK_S_MAX = 60.0
# What is not paid, and never will be.
CLOSED = "closed"
MISTAKES = (400, 405, 411, 413, 414, 415, 422, 431)


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt's outcome. `over`: the intent has ended with it. `working`: the lender says it
    is being worked on, so that pressing again is of no use. `come_back_s`: how long it asks to be
    left alone; 0: it does not say."""

    outcome: Outcome
    cause: str | None = None
    hop: str | None = None
    reason: str | None = None
    over: bool = False
    working: bool = False
    come_back_s: float = 0.0


def of_answer(status: int, body: Mapping[str, Any]) -> Answer:
    """The outcome of a whole HTTP answer."""
    cause, hop, reason = (_text(body.get(key)) for key in ("cause", "hop", "reason"))
    final, certain = body.get("final") is True, body.get("certain") is True
    if status in (200, 201) and body.get("outcome") == "granted":
        return Answer("granted", over=True)
    if status in (200, 201) and body.get("outcome") == "repaid":
        return Answer("repaid", over=True)
    if status in (403, 422) and final:
        return Answer("refused", cause, hop, reason, over=True)
    if status in MISTAKES:
        return Answer("failed", cause, hop, f"{MISTAKE} {status} {reason or ''}", over=True)
    if status == 409 and reason == "no-money" and certain:
        return Answer("refused", "liquidity", hop, reason)
    if status == 200 and body.get("outcome") == CLOSED:
        return Answer("failed", "system", None, CLOSED, over=True)
    if status >= 500 and certain:
        return Answer("failed", cause or "system", hop, reason, come_back_s=_come_back_s(body))
    working = status in (202, 409) and (
        reason == "in-progress" or body.get("outcome") == "in-progress"
    )
    return Answer("unknown", cause or "system", hop, reason or str(status), working=working)


SHOWN = ("limit_fen", "outstanding_fen", "held_fen")


def of_look(status: int, body: Mapping[str, Any]) -> Answer:
    """The outcome of a whole answer to a look at a quota, with its age where it says one, and its
    figures, by which the judge dates it too. Nothing of it grants a draw: whoever
    answers a press with a quota has not said what became of it."""
    if status != 200:
        return of_answer(status, body)
    age_ms, *figures = (body.get(key) for key in ("age_ms", *SHOWN))
    if type(age_ms) is not int:
        return Answer("granted", over=True)
    said = f"{age_ms} ms old"
    if all(type(one) is int for one in figures):
        said += "; limit {} fen, {} owed, {} held".format(*figures)
    return Answer("granted", reason=said, over=True)


def of_trouble(*, connected: bool, what: str) -> Answer:
    """The outcome when no whole answer came: without a connection nothing can have happened."""
    return Answer("unknown" if connected else "failed", "system", None, what)


# The attempt that was not made: no answer will come.
DROPPED = Answer("dropped", None, MACHINE, "in-flight-bound", over=True)


def _come_back_s(body: Mapping[str, Any]) -> float:
    said_ms = body.get("retry_after_ms")
    return min(COME_BACK_S_MAX, max(0, said_ms) / 1000) if type(said_ms) is int else 0.0


def _text(value: object) -> str | None:
    """Half a surrogate pair, which JSON can say and UTF-8 can't, must not silence who writes it."""
    return value[:80].encode("utf-8", "replace").decode() if isinstance(value, str) else None
