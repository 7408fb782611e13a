"""What the judge's benchmark makes is a whole run, whose books agree, of the size it says."""

from pathlib import Path

from benchmarks.judge import measured
from benchmarks.judge_made import ATTEMPTS_A_DRAW, draws_for, write_run
from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view

DRAWS = 6000


def test_a_made_run_is_held_and_has_everything(tmp_path: Path) -> None:
    run = write_run(tmp_path, DRAWS)
    verdict = judge(load_view(RunDir.open(run)))
    assert verdict.verdict == "held", verdict.reason
    assert not verdict.doubts
    total = verdict.parts.guarantee.total
    assert total.broken > 0
    assert total.rightly_refused > 0
    assert verdict.parts.repaid.repaid > 0
    view = load_view(RunDir.open(run))
    assert len(view.draws) == DRAWS
    # Nobody repays in the last seconds, which are a longer part of a short run.
    assert len(view.attempts) / DRAWS <= ATTEMPTS_A_DRAW
    assert draws_for(len(view.attempts)) <= DRAWS


def test_its_figures_have_all_steps(tmp_path: Path) -> None:
    found = measured(write_run(tmp_path, DRAWS))
    assert found["held"] == 1
    assert found["judge_s"] > 0
    assert {"audit", "rule 6", "judge_intents", "conclude"} <= found["steps_s"].keys()
