"""compare, baseline, gate, run --repeat and ablate, over runs that were made up."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.ablate import ablate_command, arms_of, protections_for
from harness.baselines import gate_command, set_command, show_command
from harness.cli import _parser, main
from harness.compare_runs import How, Side, compare_command
from harness.errors import ScenarioError
from harness.given_runs import runs_of
from harness.repeat_run import repeat_command
from harness.repeats.arms import Arm, Cell
from harness.scenario.model import PROTECTIONS
from tests.drills import ROOT, SMOKE
from tests.fake_runs import SMALL, Played, keep_run

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

BASE = Side(SMOKE, SMALL)
NAIVE = Side(SMOKE, SMALL, "naive")


def folder(place: Path, seeds: range, **figures: Any) -> Path:
    for seed in seeds:
        keep_run(place / f"2026-{seed:03d}", seed, changes=SMALL, **figures)
    (place / "latest").symlink_to("2026-001")
    return place


def how(place: Path, **more: Any) -> How:
    return How(None, (), place / "out", **more)


def only_folder(out: Path) -> Path:
    (found,) = out.iterdir()
    return found


def test_two_folders_of_runs_are_compared_and_the_files_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = folder(tmp_path / "base", range(1, 10))
    worse = folder(tmp_path / "worse", range(1, 9), broken=30, verdict="breached")
    assert main(["compare", str(base), str(worse), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("WORSE (exit 1): drill.guarantee -3.00 points")
    assert "left out    without a partner: base: 2026-009 (seed 9)" in said
    made = only_folder(tmp_path / "out")
    assert sorted(path.name for path in made.iterdir()) == [
        "compare.html", "compare.json", "junit.xml", "summary.md",
    ]  # fmt: skip
    assert json.loads((made / "compare.json").read_text())["pairs_used"] == 8
    again = folder(tmp_path / "again", range(1, 10))
    assert main(["compare", str(base), str(again), "--out", str(tmp_path / "2")]) == 0
    one = [str(base / "2026-001"), str(worse / "2026-001"), "--out", str(tmp_path / "one")]
    assert main(["compare", *one]) == 3


def test_scenarios_are_drilled_a_b_b_a_and_gone_on_with(tmp_path: Path) -> None:
    played = Played({"candidate": {"broken": 30, "verdict": "breached"}})
    assert compare_command(BASE, NAIVE, 2, how(tmp_path), played) == 3
    assert played.cells == [(0, "base"), (0, "candidate"), (1, "candidate"), (1, "base")]
    made = only_folder(tmp_path / "out")
    rest = Played({"candidate": {"broken": 30, "verdict": "breached"}})
    assert compare_command(BASE, NAIVE, 8, how(tmp_path, resume=made), rest) == 1
    assert len(rest.cells) == 12
    assert {one.profile for one in runs_of(Path(f"{made}:candidate"))} == {"naive"}
    with pytest.raises(ScenarioError, match=r"one of them: .*:base', .*:candidate'"):
        runs_of(made)
    assert main(["recheck", str(made)]) == 2


def test_a_lender_that_loses_money_fails_the_gate_with_one_run(tmp_path: Path) -> None:
    def once(cell: Cell) -> dict[str, Any]:
        lost = {"wrong": ("one-payout",), "verdict": "breached"}
        return lost if cell.number == 3 else {}

    assert compare_command(BASE, BASE, 8, how(tmp_path), Played({"candidate": once})) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "{base}", "{smoke}"], "runs against a scenario"),
        (["compare", "{base}", "{empty}"], "a run directory, a folder of run directories, or"),
        (["compare", "{base}", "--candidate-set", "seed=3"], "a scenario file, where settings"),
        (["compare", "{smoke}", "--candidate-set", "load.shape.rate=31/s"], "other draws than in"),
        (["compare", "{smoke}", "--candidate-set", "load.shape.rat=31/s"], "load.shape.rat"),
        (["compare", "{smoke}", "--candidate-set", "load.patience.poll=1s"], "a kept promise is"),
        (["compare", "{smoke}", "--candidate-lender", "{empty}"], "a checkout of drawproof"),
        (["compare", "{smoke}", "--pairs", "0"], "from 1 to 100"),
        (["compare", "{smoke}", "--primary", "p50"], "--primary: found 'p50'"),
        (["gate", "{smoke}", "--store", "{empty}"], "none yet: make it by `drawproof baseline set"),
        (["gate", "{smoke}", "--baseline", "../x"], "letters, digits"),
        (["baseline", "set", "x", "{empty}"], "a run directory"),
        (["ablate", "{smoke}", "--only", "breakers"], "some of admission, breaker"),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    names = {"base": folder(tmp_path / "base", range(1, 2)), "smoke": SMOKE,
             "empty": tmp_path / "empty"}  # fmt: skip
    made = [] if words[0] == "baseline" else ["--out", str(tmp_path / "out")]
    try:
        code = main([word.format(**names) for word in words] + made)
    except SystemExit as exc:
        code = int(exc.code or 0)
    assert code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_baseline_is_set_shown_and_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "baselines"
    first = folder(tmp_path / "first", range(1, 9))
    keep_run(first / "doubted", 9, changes=SMALL, verdict="inconclusive")
    assert set_command("main", [first], store) == 0
    said = capsys.readouterr().out
    assert "left out: doubted: inconclusive: made up" in said
    assert "baseline main: 8 runs of partner-bank-slow-at-repayment-peak" in said
    second = folder(tmp_path / "second", range(1, 5), broken=10)
    assert set_command("main", [second], store) == 0
    said = capsys.readouterr().out
    assert "moved from  8 runs of" in said
    assert "warning: with fewer than 8 runs" in said
    assert show_command("main", store) == show_command(None, store) == 0
    said = capsys.readouterr().out
    assert "guarantee 99.00 %" in said
    assert said.count("seed") == 4


def test_what_is_no_baseline(tmp_path: Path) -> None:
    store = tmp_path / "baselines"
    wrong = keep_run(tmp_path / "wrong", 1, changes=SMALL, wrong=("one-payout",))
    doubted = keep_run(tmp_path / "doubted", 1, changes=SMALL, verdict="inconclusive")
    other = keep_run(tmp_path / "other", 1, changes=(*SMALL, "faults=[]"))
    well = keep_run(tmp_path / "well", 1, changes=SMALL)
    for runs, says in (
        ([wrong], "the money is wrong"), ([doubted], "at least one sound run"),
        ([well, other], "2 fault schedules"),
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match=says):
            set_command("main", runs, store)
    assert not store.exists()


def test_the_gate_drills_the_baselines_seeds_and_says_what_is_not_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "baselines"
    set_command("main", [folder(tmp_path / "runs", range(1, 10))], store)
    same = Played({})
    assert gate_command(BASE, "main", store, None, how(tmp_path), same) == 0
    assert [cell for cell, _ in same.cells] == list(range(9))
    assert "differs     time: the baseline's runs were made before" in capsys.readouterr().out
    worse = Played({"candidate": {"p50_ms": 80.0}})
    assert gate_command(NAIVE, "main", store, 8, how(tmp_path / "2"), worse) == 1
    said = capsys.readouterr().out
    assert "WORSE (exit 1): baseline.p50 +100.0 %" in said
    assert "differs     profile: base full; candidate naive" in said
    slower = Side(SMOKE, (*SMALL, "lender.capacity.bank_latency=160ms"))
    assert gate_command(slower, "main", store, 4, how(tmp_path / "3"), Played({})) == 3
    said = capsys.readouterr().out
    assert "differs     lender.capacity.bank_latency: base 80ms; candidate 160ms" in said
    assert "pairs would decide; for more, --pairs 8" in said


@pytest.mark.parametrize(
    ("changes", "pairs", "says"),
    [
        (("load.shape.rate=6/s",), None, "planned other draws than the scenario does now"),
        (("faults.1.for=5s",), None, "had other faults than the scenario"),
        (("load.patience.retries=5",), None, "whose borrowers had another load.patience"),
        ((), 9, "at most 8, as the baseline has; for more, set it from 9 runs or more: `drawproof"),
    ],
)
def test_the_gate_refuses_what_can_not_be_paired(
    tmp_path: Path, changes: tuple[str, ...], pairs: int | None, says: str
) -> None:
    store = tmp_path / "baselines"
    set_command("main", [folder(tmp_path / "runs", range(1, 9))], store)
    played = Played({})
    with pytest.raises(ScenarioError, match=says):
        gate_command(Side(SMOKE, (*SMALL, *changes)), "main", store, pairs, how(tmp_path), played)
    assert not played.cells


def test_repeats_vote_and_show_their_spread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def third(cell: Cell) -> dict[str, Any]:
        if cell.number == 2:
            return {"broken": 100, "verdict": "breached"}
        return {"verdict": "inconclusive"} if cell.number == 3 else {}

    assert repeat_command(BASE, 5, how(tmp_path), Played({"run": third})) == 0
    said = capsys.readouterr().out
    assert "HELD (exit 0): 3 of 4 sound runs held; runs like these hold in 30 % to 95 %" in said
    assert "vote        3 held, 1 breached, 1 inconclusive" in said
    made = only_folder(tmp_path / "out")
    value = json.loads((made / "repeat.json").read_text())
    share = value["spread"]["drill.guarantee"]
    assert share == {"runs": 4, "median": 1.0, "lowest": 0.9, "highest": 1.0}
    assert (value["verdict"], value["exit_code"]) == ("held", 0)
    assert "made up" in (made / "repeat.html").read_text()
    lost = Played({"run": {"wrong": ("one-payout",), "verdict": "breached"}})
    assert repeat_command(BASE, 2, how(tmp_path / "2"), lost) == 1
    doubted = Played({"run": {"verdict": "inconclusive"}})
    assert repeat_command(BASE, 2, how(tmp_path / "3"), doubted) == 3


def test_what_a_run_that_did_not_end_has_left_open_is_no_wrong_money(tmp_path: Path) -> None:
    """Its own verdict says so: holds and unknowns of a run that was stopped accuse nobody."""

    def second(cell: Cell) -> dict[str, Any]:
        left = {"verdict": "inconclusive", "wrong": ("no-hold-left", "unknowns-resolved")}
        return left if cell.number == 1 else {}

    assert repeat_command(BASE, 5, how(tmp_path), Played({"run": second})) == 0


def test_nothing_is_held_of_which_a_run_failed(tmp_path: Path) -> None:
    """As of a lender that died in one of five."""

    def died(cell: Cell) -> dict[str, Any]:
        return {"verdict": "inconclusive", "exit_code": 5} if cell.number == 1 else {}

    assert repeat_command(BASE, 5, how(tmp_path), Played({"run": died})) == 3


def test_the_arms_of_an_ablation_and_what_they_are_for() -> None:
    scenario = Arm("full", SMOKE).loaded().scenario
    names, skipped = protections_for(scenario, ())
    assert skipped[0].startswith("canary is left out")
    assert {*PROTECTIONS} - {*names} == {
        "canary", "compliance_first", "fine_allocation", "funding_plan", "handshake",
        "money_bound",
    }  # fmt: skip
    assert protections_for(scenario, ("canary",))[0] == ("canary",)
    arms, rows = arms_of(
        BASE, ("breaker", "deadlines", "retries", "round_robin", "tier_fallthrough")
    )
    assert [arm.label for arm in arms] == [
        "full", "naive", "full - breaker", "full - deadlines", "full - retries",
        "full - tier_fallthrough", "naive + breaker", "naive + deadlines",
        "naive + tier_fallthrough",
    ]  # fmt: skip
    assert (rows[0].have, rows[0].lack) == ("full", "naive")
    spec = {arm.label: arm.loaded().scenario.lender for arm in arms}
    assert (spec["full"].profile, spec["full"].protections) == ("full", ())
    assert spec["full - breaker"].protections == (("breaker", False),)
    assert spec["naive + breaker"].protections == (("breaker", True),)
    assert spec["naive + breaker"].profile == "naive"


def test_the_worth_of_each_protection_with_its_sign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Played(
        {
            "naive": lambda cell: {"broken": 300 + cell.number, "recover_s": None},
            "full - breaker": {"broken": 200},
            "full - retries": {"broken": 0},
            "full - deadlines": {"broken": 50, "promised": 900},
            "full": {"broken": 5},
        }
    )
    side = Side(SMOKE, SMALL)
    assert ablate_command(side, ("breaker", "deadlines", "retries"), 6, how(tmp_path), played) == 0
    said = capsys.readouterr().out
    assert "SAVES (exit 0): full against naive: +297.5 draws a run (95 %: +295.0 to +300.0)" in said
    value = json.loads((only_folder(tmp_path / "out") / "ablate.json").read_text())
    words = {row["name"]: row["word"] for row in value["worth"]}
    assert words["breaker, off from full"] == "saves"
    assert words["retries, off from full"] == "costs"
    assert words["deadlines, off from full"] == "cannot tell"
    assert words["breaker, on from naive"] == "saves"
    naive = value["worth"][0]["saved"]
    assert naive["drill.broken_fen"]["estimate"] == 2_975_000
    # The naive arm had not recovered when the watch ended.
    assert naive["drill.recover_s"]["at_least"] == 6
    assert "+13.50 s or more" in said


def test_an_ablation_without_its_headline_says_so(tmp_path: Path) -> None:
    doubted = Played({"naive": {"verdict": "inconclusive"}})
    assert ablate_command(BASE, ("breaker",), 2, how(tmp_path), doubted) == 3
    lost = Played({"full": {"wrong": ("one-payout",), "verdict": "breached"}})
    assert ablate_command(BASE, ("breaker",), 2, how(tmp_path / "2"), lost) == 1


@pytest.mark.parametrize("page", ["ci.md", "compare.md"])
def test_every_command_of_the_pages_is_one(page: str) -> None:
    lines = (ROOT / "docs" / page).read_text().splitlines()
    commands = [
        line.partition("drawproof ")[2].partition(" && ")[0]
        for line in lines
        if re.match(r"\s+(- run: )?(\.venv/bin/)?drawproof ", line)
    ]
    assert len(commands) >= 4
    for words in commands:
        assert _parser().parse_args(shlex.split(words)).command
