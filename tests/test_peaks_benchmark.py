"""The benchmark of what a peak makes of a fault: its drills can be compared, and are."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import peaks
from benchmarks.peaks import FAULTS, LOADS, arms, summary_of, turned_away
from harness.repeats.arms import check_arms
from harness.repeats.book import Done
from harness.repeats.digest import Digest


@pytest.mark.parametrize("load", LOADS)
def test_all_faults_of_one_load_meet_the_same_draws(load: str) -> None:
    assert len(arms(load)) == len(FAULTS) == 6
    assert check_arms(arms(load), 20261126)


def drill(number: int, load: str, broken: float, verdict: str = "held") -> Done:
    """Of the first fault, a hundred draws."""
    fault = next(iter(FAULTS))
    values = {"drill.promised": 100.0, "drill.broken": broken}
    found = Digest(
        run="", scenario="peaks", seed=number, profile="naive", plan="", faults="",
        verdict=verdict, exit_code=0, reason="", values=values, at_least=(), by={}, wrong=(),
        commit=None, versions={}, machine={},
    )  # fmt: skip
    return Done(number, f"{fault}, {load}", 1.0, found)


def test_a_peak_is_compared_with_the_steady_load_of_its_own_round(tmp_path: Path) -> None:
    done = [
        drill(0, "steady", 2), drill(0, "peak", 10), drill(1, "steady", 4), drill(1, "peak", 12),
        drill(2, "steady", 0), drill(2, "peak", 9),
        drill(3, "steady", 1, "inconclusive"), drill(3, "peak", 50),
    ]  # fmt: skip
    row = summary_of(done, tmp_path)[next(iter(FAULTS))]
    assert row["pairs"] == 3
    assert row["amplification"] == [4.0, 3.0, 5.0]
    assert row["steady_without_any_broken"] == 1
    assert row["peak"]["broken_share"] == [0.1, 0.09, 0.12]


def test_turned_away_are_presses_of_the_baseline_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {
        "intents": [
            SimpleNamespace(phase=phase, due_ns=due_ns)
            for phase, due_ns in (("warmup", 1), ("baseline", 10), ("baseline", 19), ("fault", 20))
        ],
        "attempts": [
            SimpleNamespace(kind=kind, sent_ns=1000 + sent_ns, reason=reason)
            for kind, sent_ns, reason in (
                ("press", 9, "shed"), ("press", 10, "shed"), ("press", 12, None),
                ("poll", 12, "shed"), ("press", 19, None), ("press", 19, None),
                ("press", 20, "shed"),
            )
        ],
    }  # fmt: skip
    (tmp_path / "run.json").write_text('{"t0_ns": 1000}')
    monkeypatch.setattr(peaks, "read_rows", lambda _, table: (tables[table], False, False))
    assert turned_away(tmp_path) == 0.25
    assert turned_away(tmp_path / "gone") is None
