"""How old a shown quota is, from the lender's word to the measure of the drill."""

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Attempt, Policy, Published, Version
from harness.judge.judge import judge
from harness.judge.shown import shown_age_ms
from harness.judge.view import RunView
from harness.load.outcome import Answer, of_answer, of_look
from tests.run_views import LIMIT_FEN, T0_NS, changed, clean

CLEAN = clean(60)


def look(intent: int, n: int, outcome: str, reason: str | None) -> Attempt:
    return Attempt(intent, "look", n, T0_NS, T0_NS, T0_NS, T0_NS, 200, outcome, None, None, reason,
                   "gateway-1", "worker-1")  # fmt: skip


def test_a_quota_says_how_old_it_is() -> None:
    said = of_look(200, {"available_fen": 7, "age_ms": 12})
    assert said == Answer("granted", reason="12 ms old", over=True)
    whole = {"limit_fen": 327, "available_fen": 7, "age_ms": 12, "outstanding_fen": 300,
             "held_fen": 20}  # fmt: skip
    assert of_look(200, whole).reason == "12 ms old; limit 327 fen, 300 owed, 20 held"
    assert of_look(200, whole | {"held_fen": None}).reason == "12 ms old"
    assert of_look(200, {"available_fen": 7}) == Answer("granted", over=True)
    assert of_look(503, {"certain": True}).outcome == "failed"
    # To a press it says nothing, and grants nothing.
    assert of_answer(200, {"available_fen": 7, "age_ms": 12}).outcome == "unknown"


def test_the_oldest_counts_of_those_that_were_shown() -> None:
    assert shown_age_ms(CLEAN) is None
    looks = (
        look(1, 1, "granted", "12 ms old"),
        look(1, 2, "granted", "1999 ms old"),
        look(3, 1, "failed", "4000 ms old"),
    )
    view = changed(CLEAN, attempts=(*CLEAN.attempts, *looks))
    assert shown_age_ms(view) == 1999
    assert judge(view).value["harm"]["shown_age_ms"] == 1999


@pytest.mark.parametrize("said", [None, "not told", "-1 ms old"])
def test_an_answer_that_does_not_say_its_age_may_have_been_the_oldest(said: str | None) -> None:
    looks = (look(1, 1, "granted", "12 ms old"), look(2, 1, "granted", said))
    assert oldest_ms(*looks) is None


def shown(
    intent: int, sent_s: float, owed_fen: int, held_fen: int, age_ms: int = 0,
    limit_fen: int = LIMIT_FEN,
) -> Attempt:  # fmt: skip
    """A look at a quota by the borrower of a draw, so long after that was due."""
    sent_ns = T0_NS + intent * NS_PER_S // 10 + round(sent_s * NS_PER_S)
    said = f"{age_ms} ms old; limit {limit_fen} fen, {owed_fen} owed, {held_fen} held"
    return look(intent, 1, "granted", said)._replace(sent_ns=sent_ns, done_ns=sent_ns + NS_PER_MS)


def oldest_ms(*looks: Attempt, view: RunView = CLEAN) -> int | None:
    return shown_age_ms(changed(view, attempts=(*view.attempts, *looks)))


def test_who_says_that_it_is_new_is_dated_by_its_figures() -> None:
    """Draw 20, of 12,000 fen, was held and paid, and told so 100 ms after it was due."""
    nothing, holding, paid = (0, 0), (0, 12_000), (12_000, 0)
    assert oldest_ms(shown(20, -1.0, *nothing)) == 0
    assert oldest_ms(shown(20, 8.0, *paid)) == 0
    # Held until it was paid; told so: 100 ms are left to the clocks.
    assert oldest_ms(shown(20, 8.1, *holding)) == 7_900
    assert oldest_ms(shown(20, 0.15, *holding)) == 0
    # Before it was held: over when that was seen, by the time that it was paid.
    assert 7_900 <= (oldest_ms(shown(20, 8.1, *nothing)) or 0) <= 8_000
    assert oldest_ms(shown(20, 8.1, *holding, age_ms=9_000)) == 9_000
    assert oldest_ms(shown(20, 8.1, *holding), shown(20, 8.1, *paid, age_ms=3_000)) == 7_900


def test_what_can_not_be_dated_goes_by_its_word() -> None:
    held = (0, 12_000)
    # Never true; of a borrower who has drawn nothing; and what nobody was told the end of.
    assert oldest_ms(shown(20, 8.1, 7, 7, age_ms=5)) == 5
    assert oldest_ms(shown(27, 8.1, 0, 0, age_ms=5)) == 5
    untold = changed(CLEAN, attempts=[one for one in CLEAN.attempts if one.intent != 20])
    assert oldest_ms(shown(20, 8.1, *held, age_ms=5), view=untold) == 5
    without = changed(CLEAN, versions=())
    assert oldest_ms(shown(20, 8.1, *held, age_ms=5), view=without) == 5


def test_what_is_true_again_is_as_new_as_that() -> None:
    """Held, void, and nothing held again."""
    who, due_ns = "borrower:21", T0_NS + 2 * NS_PER_S
    versions = [one for one in CLEAN.versions if one.account != who]
    for number, (event, held_fen) in enumerate((("reserve", 12_000), ("void", 0)), start=1):
        at_ns = due_ns + number * NS_PER_S
        versions.append(Version(who, number, 10**6, 0, held_fen, None, at_ns, "k", 1, event))
    view = changed(CLEAN, versions=versions)
    assert oldest_ms(shown(20, 8.0, 0, 0), view=view) == 0
    # Of the last version it is not known by when it was seen.
    assert oldest_ms(shown(20, 8.0, 0, 12_000), view=view) == 0


CUT = Policy("risk", 2, None, T0_NS + 4 * NS_PER_S, None, None, keep_bp=5_000,
             ended_ns=T0_NS + 12 * NS_PER_S)  # fmt: skip


def by(policy: Policy) -> list[Policy]:
    """With who obeyed it first when; the clock of one is ahead."""
    moments = ((T0_NS, "risk-1"), (T0_NS + 9 * NS_PER_S, "risk-2"))
    rows = (policy._replace(adopted_ns=at_ns, replica=name) for at_ns, name in moments)
    return [*CLEAN.policies, policy, *rows]


TOLD = Published(None, "notice", 2, T0_NS + 3 * NS_PER_S)


@pytest.mark.parametrize(
    ("at_s", "limit_fen", "age_ms"),
    [
        (3.9, LIMIT_FEN, 0), (4.05, LIMIT_FEN, 0), (11.0, LIMIT_FEN, 6_900),
        (12.05, LIMIT_FEN, 0), (30.0, LIMIT_FEN, 0), (11.0, LIMIT_FEN // 2, 0),
        (20.0, LIMIT_FEN // 2, 7_900), (20.0, LIMIT_FEN // 3, 0), (2.0, LIMIT_FEN // 2, 0),
    ],
)  # fmt: skip
def test_a_limit_is_as_old_as_the_cut_that_it_does_not_know(
    at_s: float, limit_fen: int, age_ms: int
) -> None:
    """Cut to half from 4 s to 12 s, and all have been told before. Draw 20 is due at 2 s."""
    paid = (12_000, 0) if at_s > 2 else (0, 0)
    one = shown(20, at_s - 2.0, *paid, limit_fen=limit_fen)
    told = changed(CLEAN, policies=by(CUT), published=(*CLEAN.published, TOLD))
    assert oldest_ms(one, view=told) == age_ms
    # Nothing follows from a cut that nobody has obeyed or was told of, nor from one of others.
    assert oldest_ms(one, view=changed(told, policies=(CUT,))) == 0
    assert oldest_ms(one, view=changed(told, published=CLEAN.published)) == 0
    others = CUT._replace(score_below=0)
    people = [row._replace(tenure_months=9, utilisation_bp=0, past_due_days=0, income_band=3)
              for row in CLEAN.population]  # fmt: skip
    assert oldest_ms(one, view=changed(told, policies=by(others), population=people)) == 0
    unknown = CUT._replace(score_below=9_999)
    assert oldest_ms(one, view=changed(told, policies=by(unknown))) == 0
    assert oldest_ms(one, view=changed(told, policies=by(unknown), population=people)) == age_ms
