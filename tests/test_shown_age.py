"""How old a shown quota is, from the lender's word to the measure of the drill."""

from harness.evidence.rows import Attempt
from harness.judge.harm import shown_age_ms
from harness.judge.judge import judge
from harness.load.outcome import Answer, of_answer, of_look
from tests.run_views import T0_NS, changed, clean

CLEAN = clean(60)


def look(intent: int, n: int, outcome: str, reason: str | None) -> Attempt:
    return Attempt(intent, "look", n, T0_NS, T0_NS, T0_NS, T0_NS, 200, outcome, None, None, reason,
                   "gateway-1", "worker-1")  # fmt: skip


def test_a_quota_says_how_old_it_is() -> None:
    said = of_look(200, {"available_fen": 7, "age_ms": 12})
    assert said == Answer("granted", reason="12 ms old", over=True)
    assert of_look(200, {"available_fen": 7}) == Answer("granted", over=True)
    assert of_look(503, {"certain": True}).outcome == "failed"
    # To a press it says nothing, and grants nothing.
    assert of_answer(200, {"available_fen": 7, "age_ms": 12}).outcome == "unknown"


def test_the_oldest_counts_of_those_that_were_shown() -> None:
    assert shown_age_ms(CLEAN) is None
    looks = (
        look(1, 1, "granted", "12 ms old"),
        look(1, 2, "granted", "1999 ms old"),
        look(2, 1, "granted", None),
        look(3, 1, "failed", "4000 ms old"),
        look(4, 1, "granted", "not told"),
    )
    view = changed(CLEAN, attempts=(*CLEAN.attempts, *looks))
    assert shown_age_ms(view) == 1999
    assert judge(view).value["harm"]["shown_age_ms"] == 1999
