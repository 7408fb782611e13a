"""A plan dealt out: shares are a partition, and one fingerprint says what was planned."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.drill import prepare
from harness.evidence import tables
from harness.evidence.fingerprint import draws_fingerprint, fingerprint, manifest
from harness.evidence.rows import Intent
from harness.load.intents import plan_intents
from harness.load.repayments import plan_repayments
from harness.load.shares import of_share, share_of
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE
from tests.test_population import planned, scenario


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.randoms(use_true_random=False))
def test_shares_are_a_partition_and_one_fingerprint(
    seed: int, count: int, dice: random.Random
) -> None:
    intents = planned(scenario(seed), range(0, 20 * NS_PER_S, NS_PER_S // 10))
    shares = [of_share(intents, share, count) for share in range(count)]
    again = [intent for share in shares for intent in share]
    assert len(again) == len(intents)
    assert set(again) == set(intents)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    dice.shuffle(again)
    assert fingerprint(again) == fingerprint(intents)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_reunited_shares_are_what_the_run_directory_says_was_planned(
    tmp_path: Path, workers: int
) -> None:
    text = ("load.journey.repay=40 %", f"load.workers={workers}", "load.population.zipf=0.8",
            "load.population.limits=2")  # fmt: skip
    loaded = load_scenario(SMOKE, text, None)
    plan = make_plan(loaded.scenario)
    run = prepare(plan, loaded.text, loaded.files, tmp_path)
    said = json.loads((run.path / "environment.json").read_text())["plan"]
    shares = [of_share(plan.intents, share, workers) for share in range(workers)]
    owed = [plan_repayments(plan.scenario, share) for share in shares]
    assert said == manifest(sum(shares, ()), sum(owed, ()))
    rows, _, _ = tables.read_rows(run.path, "intents")
    assert [fingerprint(rows)] == rows.fingerprints(share_of, 1) == [said["intents_sha256"]]
    rows, _, _ = tables.read_rows(run.path, "repay_intents")
    assert fingerprint(rows) == said["repayments_sha256"]
    assert len(rows) == said["repayments"] > 100
    # The same for any number of workers, and another for another seed.
    single = load_scenario(SMOKE, (*text, "load.workers=1"), None).scenario
    assert manifest(plan_intents(single, plan.population), plan.repayments) == said
    other = load_scenario(SMOKE, (*text, "seed=2"), None).scenario
    assert fingerprint(make_plan(other).intents) != said["intents_sha256"]


def test_a_fingerprint_sees_every_field() -> None:
    intents = planned(scenario(), range(0, NS_PER_S, NS_PER_S // 10))
    first = intents[0]
    for field, value in first._asdict().items():
        changed = value + "x" if isinstance(value, str) else value + 1
        spoilt = (Intent(**{**first._asdict(), field: changed}), *intents[1:])
        assert fingerprint(spoilt) != fingerprint(intents), field
        told = draws_fingerprint(spoilt) != draws_fingerprint(intents)
        assert told == (field != "straddling"), field
    assert fingerprint(intents[1:]) != fingerprint(intents)


@pytest.mark.parametrize(("share", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_there_is_no_such_share(share: int, count: int) -> None:
    with pytest.raises(ValueError, match="shares are numbered"):
        of_share((), share, count)
