"""Parts of benchmarks/gate.py: deals of runs, effects put on them, lenders that are worse."""

from random import Random

import pytest

from benchmarks import gate
from harness.repeats.arms import Arm, check_arms
from harness.repeats.digest import Digest
from tests.fake_runs import figures


def runs(count: int = 24) -> list[Digest]:
    dice = Random(1)
    return [
        figures(
            1, drill__guarantee=1 - dice.randint(6, 16) / 585, drill__guarantee_money=None,
            baseline__p50=95 * dice.lognormvariate(0, 0.03),
        )
        for _ in range(count)
    ]  # fmt: skip


def test_deals_of_the_same_runs_are_seldom_worse_and_an_effect_nearly_always_is() -> None:
    same = gate.share_worse(runs(), 8, 60, lambda one: one, "a/a")
    assert same["worse"] <= 0.05
    assert same == gate.share_worse(runs(), 8, 60, lambda one: one, "a/a")
    assert gate.share_worse(runs(), 8, 60, gate.lower(2.0), "points")["worse"] >= 0.9
    assert gate.share_worse(runs(), 8, 60, gate.longer(1.3), "p50")["worse"] >= 0.9


def test_an_effect_changes_its_figures_alone() -> None:
    one = runs()[0]
    slower = gate.longer(1.5)(one)
    assert slower.value("baseline.p50") == 1.5 * (one.value("baseline.p50") or 0)
    assert slower.value("drill.guarantee") == one.value("drill.guarantee")
    assert gate.lower(2.0)(one).value("drill.guarantee_money") is None


def test_the_lenders_that_are_worse_are_drilled_with_the_same_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "sound", lambda _: runs())
    arms = [Arm(name, gate.SCENARIO, changes) for name, changes in gate.worse_lenders().items()]
    check_arms([Arm("base", gate.SCENARIO), *arms], 20260501)
    slower = arms[1].loaded().scenario.lender.capacity.bank_latency_s
    assert slower == pytest.approx(0.080 + 0.3 * 0.095, abs=0.003)
    assert len(arms[2].loaded().scenario.faults) == 2
