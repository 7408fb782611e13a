"""The scorecard and the policies that go by it: the lender's and the judge's arithmetic, which
share no code, come to the same.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.rows import Borrower, Policy
from harness.judge import scorecard as judged
from harness.load.population import plan_population
from mock_lender.policies import judgement
from mock_lender.quota import lowered
from mock_lender.risk import Standing
from mock_lender.rulebook import Entry
from mock_lender.scorecard import CUTOFF, SCORE_MOST, Scorecard, points
from tests.run_views import scenario

PEOPLE = plan_population(scenario())[:3_000]
BP = st.integers(0, 10_000)


def entry(number: int = 2, **says: Any) -> Entry:
    return Entry(number, "x", "risk", 0, 0, None, 9, **says)


def person(months: int, used_bp: int, days: int, band: int, limit_fen: int = 1000) -> Borrower:
    return Borrower(7, "new", limit_fen, False, days > 0, months, used_bp, days, band)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Scorecard:
    names = ("borrower", "tenure_months", "utilisation_bp", "past_due_days", "income_band")
    file = tmp_path_factory.mktemp("card") / "features.csv"
    rows = [",".join(str(getattr(one, name)) for name in names) for one in PEOPLE]
    file.write_text("\n".join([",".join(names), *rows]) + "\n")
    return Scorecard(file)


@given(st.integers(0, 400), BP, st.integers(0, 90), st.integers(1, 5), BP)
def test_lender_and_judge_score_alike(
    months: int, used_bp: int, days: int, band: int, stress_bp: int
) -> None:
    found = points(months, used_bp, days, band, stress_bp)
    assert found == judged.score(person(months, used_bp, days, band), stress_bp)
    assert 0 <= found <= SCORE_MOST
    assert found <= points(months, used_bp, days, band)


def test_nobody_without_arrears_is_below_the_cutoff_of_a_calm_market(card: Scorecard) -> None:
    calm = [card.of(one.borrower) for one in PEOPLE if not one.delinquent]
    assert min(calm) >= CUTOFF
    refused = [
        sum(card.of(one.borrower, stress_bp) < CUTOFF for one in PEOPLE) / len(PEOPLE)
        for stress_bp in (2_500, 5_000, 7_500, 10_000)
    ]
    assert refused == sorted(refused)
    # What docs/faults.md says of them, and two in a hundred in arrears.
    assert refused == pytest.approx([0.06, 0.20, 0.37, 0.52], abs=0.035)


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_share_of_the_borrowers_is_those_with_the_lowest_scores(
    card: Scorecard, share: float
) -> None:
    below = card.below_for(share)
    assert below == judged.below_for(PEOPLE, share)
    hit = sum(card.of(one.borrower) < below for one in PEOPLE if not one.delinquent)
    assert hit == pytest.approx(share * sum(not one.delinquent for one in PEOPLE), rel=0.02)


def test_strangers_and_lenders_without_features_have_no_points(card: Scorecard) -> None:
    assert card.of(10**6) == card.of("7") == Scorecard(None).of(1) == 0
    assert judged.score(Borrower(1, "new", 5, barred=False, delinquent=False)) is None


SAYS = st.fixed_dictionaries(
    {
        "above_fen": st.none() | st.integers(0, 1_000),
        "score_below": st.none() | st.integers(0, 10_000),
        "stress_bp": st.none() | BP,
        "keep_bp": st.none() | BP,
    }
)


@given(SAYS, st.integers(0, 1_200), st.integers(1, 3_000))
def test_lender_and_judge_agree_on_what_a_policy_says(
    says: dict[str, Any], amount_fen: int, number: int
) -> None:
    """With the whole limit available: a cut refuses what is above what it leaves."""
    one = PEOPLE[number - 1]._replace(limit_fen=1_000)
    told = judgement(one.borrower, amount_fen, [entry(**says)], _OneCard(one))
    no = told.reason is not None or amount_fen > 1_000 * told.limit_bp // 10_000
    policy = Policy("risk", 2, None, 0, 0, None, says["above_fen"], says["score_below"], None,
                    says["stress_bp"], says["keep_bp"])  # fmt: skip
    expected = judged.is_about(policy, one) is True and judged.refuses(
        policy, amount_fen, 1_000, 1_000
    )
    assert no == (expected or amount_fen > 1_000)


class _OneCard(Scorecard):
    """Of one borrower."""

    def __init__(self, one: Borrower) -> None:
        super().__init__(None)
        self._one = one

    def of(self, borrower: object, stress_bp: int = 0) -> int:
        return judged.score(self._one, stress_bp) or 0


def test_a_quota_is_shown_as_policies_leave_it(card: Scorecard) -> None:
    quota = {"limit_fen": 1_000, "outstanding_fen": 300, "held_fen": 100, "available_fen": 600}
    half = lowered(quota, 1, [entry(keep_bp=5_000)], card)
    assert (half["limit_fen"], half["available_fen"]) == (500, 100)
    assert lowered(quota, 1, [entry(keep_bp=100)], card)["available_fen"] == 0
    assert lowered(quota, 1, [entry(score_below=SCORE_MOST + 1)], card)["available_fen"] == 0
    assert lowered(quota, 1, [entry(above_fen=5)], card) == quota


def test_the_standing_verdict_is_what_each_would_be_told(card: Scorecard) -> None:
    late = frozenset(one.borrower for one in PEOPLE if one.delinquent)
    policies = [
        entry(2, stress_bp=6_000, score_below=CUTOFF), entry(3, keep_bp=5_000, score_below=4_000),
        entry(4, above_fen=900),
    ]  # fmt: skip
    standing = Standing(card, late)
    said: Mapping[str, Any] = asyncio.run(standing.under(policies))
    refused = {n for n in card.borrowers if judgement(n, 1, policies, card).reason} | late
    assert set(said["refused"]) == refused
    ((keep_bp, cut),) = said["cut"]
    assert keep_bp == 5_000
    assert set(cut) == {
        n for n in card.borrowers if judgement(n, 1, policies, card).limit_bp < 10_000
    }
    assert (said["version"], said["above_fen"]) == ("2.3.4", 900)
    assert asyncio.run(standing.under([]))["refused"] == sorted(late)


def test_the_population_file_is_read_as_written(card: Scorecard) -> None:
    one = PEOPLE[41]
    assert card.of(one.borrower, 4_000) == judged.score(one, 4_000)
    assert len(card.borrowers) == len(PEOPLE)
