"""Evidence that was changed in one place is never held as if nothing were: by the rules themselves,
where no digest could tell."""

from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from tests.kept_runs import DATA
from tests.mutations import MUTATED, Mutation, harmless, mutations
from tests.repaid_views import repaid

RUNS = ("by hand", "held")
PLACES = (0, 0.37, 0.71, 1)


@cache
def run(name: str) -> RunView:
    return repaid() if name == "by hand" else load_view(RunDir.open(DATA / name))


@cache
def untouched(name: str) -> Verdict:
    return judge(run(name))


def by_what(name: str, mutation: Mutation, place: int) -> list[str]:
    """Who tells: rules of the audit, doubts, or figures that differ; nobody: empty."""
    changed = mutation.of(run(name), place)
    if changed is None:
        return ["nothing to change"]
    found = judge(changed)
    rules = [f"rule {f.rule}" for f in found.parts.audit if f.verdict == "breached"]
    if rules or found.verdict != "held":
        return rules or ["doubt"]
    return ["figures"] if _figures(found.value) != _figures(untouched(name).value) else []


def _figures(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "printed"}


@pytest.mark.parametrize("name", RUNS)
def test_the_untouched_runs_are_held(name: str) -> None:
    assert untouched(name).verdict == "held", untouched(name).reason


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(RUNS), st.sampled_from(list(mutations())), st.data())
def test_a_mutation_is_found(name: str, mutation: Mutation, data: st.DataObject) -> None:
    rows = len(getattr(run(name), mutation.table))
    assume(rows)
    place = data.draw(st.integers(0, rows - 1))
    assume(harmless(run(name), mutation, place) is None)
    assert by_what(name, mutation, place), f"{mutation} of row {place}"


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_matrix_of_mutations_and_rules(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    matrix: dict[str, Counter[str]] = defaultdict(Counter)
    missed = []
    for mutation in mutations():
        rows = len(getattr(run(name), mutation.table))
        for place in sorted({round(share * (rows - 1)) for share in PLACES} if rows else ()):
            if harmless(run(name), mutation, place):
                matrix[str(mutation)]["harmless"] += 1
                continue
            found = by_what(name, mutation, place)
            matrix[str(mutation)].update(found or ["MISSED"])
            if not found:
                missed.append(f"{mutation} of row {place}")
    with capsys.disabled():
        print(f"\n{name}")
        for what, found_by in matrix.items():
            print(f"  {what:40} {', '.join(f'{who} {n}' for who, n in found_by.items())}")
    assert not missed, "\n".join(missed)


def test_every_table_with_money_or_answers_is_mutated() -> None:
    assert {one.table for one in mutations()} == set(MUTATED)
