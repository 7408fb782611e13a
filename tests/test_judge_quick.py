"""Quick looks at the books say that nothing is wrong exactly when the slow ones find nothing; and
of sound books they do say so: else each judgement would take the slow way, and nobody would know.
"""

from collections.abc import Callable, Sequence
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.evidence.store import RunDir
from harness.judge import audit_books, audit_dates, audit_steps, audit_sums
from harness.judge.load_view import load_view
from harness.judge.offences import Offences
from harness.judge.view import RunView
from tests.kept_runs import DATA
from tests.mutations import MONEY, Mutation, mutations
from tests.repaid_views import repaid
from tests.run_views import changed

RUNS = ("by hand", "held", "breached")
RULES = (audit_books.quota, audit_books.tiers, audit_books.postings)
OF_BOOKS = [one for one in mutations() if one.table in MONEY]


@cache
def run(name: str) -> RunView:
    return repaid() if name == "by hand" else load_view(RunDir.open(DATA / name))


def found_by(rule: Callable[..., Offences], view: RunView) -> tuple[int, Sequence[object]]:
    found = rule(view, ())
    return found.examined, found.rows


def found_slowly(rule: Callable[..., Offences], view: RunView) -> tuple[int, Sequence[object]]:
    with (
        patch.object(audit_steps, "quota_follows", return_value=False),
        patch.object(audit_steps, "tiers_follow", return_value=None),
        patch.object(audit_sums, "_all_as_due", return_value=False),
    ):
        return found_by(rule, view)


@pytest.mark.parametrize("name", RUNS)
def test_sound_books_are_passed_at_a_glance(name: str) -> None:
    with (
        patch.object(audit_books, "_find_in_quota", side_effect=AssertionError),
        patch.object(audit_books, "_find_in_tiers", side_effect=AssertionError),
        patch.object(audit_sums, "_find_outside", side_effect=AssertionError),
        patch.object(audit_dates, "NAME", "no such column"),
    ):
        for rule in RULES:
            examined, rows = found_by(rule, run(name))
            assert examined > 0
            assert not rows


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(RUNS), st.sampled_from(OF_BOOKS), st.data())
def test_both_ways_find_the_same(name: str, mutation: Mutation, data: st.DataObject) -> None:
    rows = len(getattr(run(name), mutation.table))
    assume(rows)
    spoilt = mutation.of(run(name), data.draw(st.integers(0, rows - 1)))
    assume(spoilt is not None)
    assert spoilt is not None
    for rule in RULES:
        assert found_by(rule, spoilt) == found_slowly(rule, changed(spoilt))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_both_ways_find_the_same_whatever_was_changed(name: str) -> None:
    for mutation in OF_BOOKS:
        rows = len(getattr(run(name), mutation.table))
        for place in {0, rows // 3, rows - 1} if rows else ():
            spoilt = mutation.of(run(name), place)
            if spoilt is None:
                continue
            for rule in RULES:
                told = f"{mutation} of row {place} of {name}"
                assert found_by(rule, spoilt) == found_slowly(rule, changed(spoilt)), told
