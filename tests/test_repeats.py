"""Drills by arm and seed: the order, what is kept, and how it goes on after a kill."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, ScenarioError
from harness.evidence.recorder import write_rows
from harness.evidence.store import RunDir
from harness.repeats.arms import Arm, Cell, check_arms, in_order, seeds_from
from harness.repeats.book import Book, is_repeats, read_done
from harness.repeats.child import Child, Ended, Runner, runner_of
from harness.repeats.digest import digest, from_json
from harness.repeats.repeats import Repeats, as_judged, by_arm, run_repeats
from harness.stopping import Interrupted, StopFlag
from tests.drills import ROOT, SMOKE, short
from tests.fake_runs import SMALL, Played, keep_run

SETTINGS = tuple(word for word in short() if word != "--set")
BASE = Arm("base", SMOKE, SMALL)
CANDIDATE = Arm("candidate", SMOKE, (*SMALL, "lender.profile=naive"))


def asked(place: Path, rounds: int = 3, arms: tuple[Arm, ...] = (BASE, CANDIDATE)) -> Repeats:
    place.mkdir(exist_ok=True)
    return Repeats("compare", arms, seeds_from(5, rounds), place)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 12))
def test_every_arm_meets_every_seed_and_drift_weighs_on_all_alike(count: int, rounds: int) -> None:
    arms = [Arm(f"arm {n}", SMOKE) for n in range(count)]
    cells = list(in_order(arms, seeds_from(1, rounds)))
    assert len({(cell.arm.label, cell.seed) for cell in cells}) == count * rounds == len(cells)
    mean = {
        arm.label: sum(at for at, cell in enumerate(cells) if cell.arm is arm) / rounds
        for arm in arms
    }
    if rounds % 2 == 0:
        assert max(mean.values()) - min(mean.values()) < 1e-9


def test_a_b_b_a() -> None:
    assert [cell.arm.label for cell in in_order((BASE, CANDIDATE), (1, 2, 3))] == [
        "base", "candidate", "candidate", "base", "base", "candidate",
    ]  # fmt: skip


def test_what_each_drill_gave_is_kept_and_read_again(tmp_path: Path) -> None:
    said: list[str] = []
    played = Played({"candidate": {"broken": 20, "verdict": "breached", "p50_ms": None}})
    done = run_repeats(asked(tmp_path / "r"), played, said.append)
    assert len(done) == len(said) - 1 == 6
    assert "--resume" in said[0]
    assert "guarantee 98.00 %" in said[2]
    first = by_arm(done, "candidate")[0]
    assert first.seed == 5
    assert first.value("drill.guarantee") == 0.98
    assert first.value("fault.broken_fen") == 200_000
    assert first.by["hop"] == {"bank.partner-a": 20}
    assert first.value("drill.nonsense") is None
    # A latency beyond the deadline of five seconds is at least that.
    assert first.value("baseline.p50") == 5000
    assert "baseline.p50" in first.at_least
    assert sorted(read_done(tmp_path / "r"), key=lambda d: (d.number, d.arm)) == done
    assert from_json(json.loads(json.dumps(first.as_json()))) == first
    assert (tmp_path / "r" / first.run / "verdict.json").exists()


def test_a_drill_whose_process_says_otherwise_than_its_verdict_has_none(tmp_path: Path) -> None:
    """As where the disk was full when the reports were written."""

    class Failed(Played):
        def __call__(self, cell: Cell, path: Path) -> Ended:
            return replace(super().__call__(cell, path), exit_code=5)

    (one,) = run_repeats(asked(tmp_path / "r", 1, (BASE,)), Failed({}), lambda _: None)
    assert (one.digest.verdict, one.digest.exit_code, one.digest.counts) == (None, 5, False)
    assert one.digest.reason == "drawproof ended with 5, and its verdict.json says 0"
    assert as_judged(tmp_path / "r", one.digest) == one.digest


def test_a_file_that_a_scenario_reads_belongs_to_what_a_folder_was_made_for(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text((ROOT / "scenarios/compliance/rules.yml").read_text())
    source = ROOT / "scenarios/compliance/draw-maximum-adopted-late.yaml"
    (tmp_path / "late.yaml").write_text(source.read_text())
    arm = Arm("late", tmp_path / "late.yaml", SMALL[:1])
    Book.resume(tmp_path, "x", (arm,), "p")
    Book.resume(tmp_path, "x", (arm,), "p")
    rules.write_text(rules.read_text() + "# other\n")
    with pytest.raises(ScenarioError, match="made for other settings"):
        Book.resume(tmp_path, "x", (arm,), "p")


def test_a_kill_loses_the_drill_under_way_and_more_rounds_go_on(tmp_path: Path) -> None:
    place = tmp_path / "r"

    class Killed(Played):
        def __call__(self, cell, path):  # type: ignore[no-untyped-def]
            if len(self.cells) == 3:
                raise KeyboardInterrupt
            return super().__call__(cell, path)

    with pytest.raises(KeyboardInterrupt):
        run_repeats(asked(place), Killed({}), lambda _: None)
    rest = Played({})
    assert len(run_repeats(asked(place), rest, lambda _: None)) == 6
    assert rest.cells == [(1, "base"), (2, "base"), (2, "candidate")]
    more = Played({})
    assert len(run_repeats(asked(place, 4), more, lambda _: None)) == 8
    assert more.cells == [(3, "candidate"), (3, "base")]
    # Fewer rounds than the folder has: what was asked for, no more.
    assert len(run_repeats(asked(place, 2), Played({}), lambda _: None)) == 4


def test_a_kill_in_the_first_drill_leaves_a_folder_that_can_be_gone_on_with(tmp_path: Path) -> None:
    def killed(*_: object) -> Ended:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_repeats(asked(tmp_path / "r"), killed, lambda _: None)
    assert is_repeats(tmp_path / "r")
    assert read_done(tmp_path / "r") == []


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ((BASE, Arm("candidate", SMOKE, (*SMALL, "lender.profile=none"))), "for other settings"),
        ((Arm("base", SMOKE, (*SMALL, "load.shape.rate=6/s")),
          Arm("candidate", SMOKE, (*SMALL, "load.shape.rate=6/s", "lender.profile=naive"))),
         "made for other draws and other settings"),
    ],
)  # fmt: skip
def test_a_folder_of_other_drills_is_not_gone_on_with(
    tmp_path: Path, arms: tuple[Arm, ...], says: str
) -> None:
    run_repeats(asked(tmp_path / "r", 1), Played({}), lambda _: None)
    with pytest.raises(ScenarioError, match=says):
        run_repeats(asked(tmp_path / "r", 1, arms), Played({}), lambda _: None)


def test_arms_of_other_draws_are_refused_before_anything_runs(tmp_path: Path) -> None:
    arms = (BASE, Arm("candidate", SMOKE, (*SMALL, "load.shape.rate=6/s")))
    with pytest.raises(ScenarioError, match="other draws than in 'base'"):
        check_arms(arms, 5)
    with pytest.raises(ScenarioError, match="a label of its own"):
        check_arms((BASE, BASE), 5)
    with pytest.raises(ScenarioError, match=r"load\.shape\.rat"):
        check_arms((Arm("base", SMOKE, ("load.shape.rat=31/s",)),), 5)
    played = Played({})
    with pytest.raises(ScenarioError):
        run_repeats(asked(tmp_path / "r", 1, arms), played, lambda _: None)
    assert not played.cells


def test_leaving_a_fault_out_leaves_the_draws_as_they_are() -> None:
    check_arms((BASE, Arm("without", SMOKE, (*SMALL, "faults=[]"))), 5)


def test_a_drill_of_other_draws_than_its_rounds_other_arms_is_no_pair(tmp_path: Path) -> None:
    """A lender's own drawproof may plan differently."""

    class Other(Played):
        def __call__(self, cell, path):  # type: ignore[no-untyped-def]
            ended = super().__call__(cell, path)
            if cell.arm is CANDIDATE:
                known = json.loads((ended.run / "environment.json").read_text())
                known["plan"]["draws_sha256"] = "0"
                (ended.run / "environment.json").write_text(json.dumps(known))
            return ended

    with pytest.raises(HarnessError, match="can't be compared draw by draw"):
        run_repeats(asked(tmp_path / "r"), Other({}), lambda _: None)


def test_a_run_without_a_verdict_does_not_count(tmp_path: Path) -> None:
    run = keep_run(tmp_path / "run")
    (run / "verdict.json").unlink()
    found = digest(run, "run")
    assert not found.counts
    assert found.reason == "the run left no verdict"
    assert found.value("drill.guarantee") is None


def test_a_run_from_before_draws_had_a_fingerprint_is_known_by_its_draws(tmp_path: Path) -> None:
    run = keep_run(tmp_path / "run", 7, changes=SMALL)
    now = digest(run, "run").plan
    known = json.loads((run / "environment.json").read_text())
    del known["plan"]["draws_sha256"]
    (run / "environment.json").write_text(json.dumps(known))
    assert digest(run, "run").plan != now
    write_rows(RunDir(run).stream_path("intents"), "intents", BASE.planned(7).intents)
    assert digest(run, "run").plan == now


def test_a_recovery_not_reached_took_at_least_the_time_watched(tmp_path: Path) -> None:
    found = digest(keep_run(tmp_path / "run", recover_s=None), "run")
    # Healed at 27 s of 41 s of load.
    assert found.value("drill.recover_s") == pytest.approx(14)
    assert found.at_least == ("drill.recover_s",)


def test_whose_drawproof_runs_an_arm(tmp_path: Path) -> None:
    assert runner_of(ROOT).more == {"PYTHONPATH": str(ROOT)}
    assert runner_of(ROOT).cwd == ROOT
    with pytest.raises(ScenarioError, match="a checkout of drawproof"):
        runner_of(tmp_path)


def test_a_drill_that_is_refused_says_why(tmp_path: Path) -> None:
    (cell,) = in_order((Arm("broken", tmp_path / "none.yaml"),), (5,))
    with pytest.raises(ScenarioError, match=r"none\.yaml"):
        Child(StopFlag())(cell, tmp_path / "place")


def test_a_lender_of_another_drawproof_is_never_judged_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where our judge can't read what it left, the run has no verdict at all."""
    place = tmp_path / "place"

    def said(_: Child, runner: Runner, words: list[str], log: Path, held: int) -> int:
        if words[0] == "run":
            keep_run(place / "theirs", 5)
            (place / "latest").symlink_to("theirs")
            return 0
        return 5  # a newer run than our `recheck` knows

    monkeypatch.setattr(Child, "_run", said)
    (cell,) = in_order((Arm("other", SMOKE, lender=ROOT),), (5,))
    found = digest(Child(StopFlag())(cell, place).run, "theirs")
    assert (found.verdict, found.measured) == (None, False)


@pytest.mark.drill
@pytest.mark.slow
def test_a_drill_in_a_process_of_its_own_and_one_that_is_stopped(tmp_path: Path) -> None:
    arm = Arm("short", SMOKE, SETTINGS)
    stop = StopFlag()
    place = tmp_path / "r"
    place.mkdir()
    (one,) = run_repeats(Repeats("run", (arm,), (5,), place), Child(stop), print)
    assert one.digest.verdict is not None
    assert one.digest.value("drill.promised")
    (cell,) = in_order((arm,), (6,))
    stop._set(15, None)  # as a SIGTERM would; the drill under way ends in order
    with pytest.raises(Interrupted):
        Child(stop)(cell, place / "again")
