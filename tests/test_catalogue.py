"""The drills of scenarios/: each whole and in form, the sets, the story covered, the page made."""

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ScenarioError
from harness.report.coverage import kept, not_covered, page
from harness.report.suite import list_text
from harness.scenario.loader import load_scenario
from harness.scenario.model import PhasePlan
from harness.scenario.shape import Shape
from harness.scenario.story import CLAIM_IDS, CLAIMS, NOT_YET
from harness.suite.catalogue import SET_NAMES, Drill, find_drills, fingerprint, in_order, of_set
from tests.catalogue_drills import DRILLS
from tests.drills import NAIVE, ROOT, SMOKE

FULL_MINUTES_MAX = 40


def named(drill: Drill) -> str:
    return drill.name


def test_every_scenario_is_a_drill_but_the_naive_twin() -> None:
    files = {path for path in (ROOT / "scenarios").rglob("*.yaml")}
    assert files - {drill.path for drill in DRILLS} == {NAIVE}


@pytest.mark.parametrize("drill", DRILLS, ids=named)
def test_a_drill_lies_in_the_folder_of_its_class_and_is_named_as_its_file(drill: Drill) -> None:
    if drill.path != SMOKE:
        assert drill.path.parent.name == drill.entry.kind
        assert drill.path.stem == drill.name


@pytest.mark.parametrize("drill", DRILLS, ids=named)
def test_the_watch_has_the_load_of_the_fault_phase(drill: Drill) -> None:
    scenario = drill.loaded.scenario
    fault, watch = (
        mean_rate(scenario.load.shape, scenario.phases, phase) for phase in ("fault", "watch")
    )
    assert watch == pytest.approx(fault, rel=0.02)


def mean_rate(shape: Shape, phases: PhasePlan, phase: str) -> float:
    """Draws expected a second."""
    low_s, high_s = phases.start_s(phase), phases.end_s(phase)
    steps = 500
    ats = [low_s + (high_s - low_s) * (n + 0.5) / steps for n in range(steps)]
    rates = [
        next(one for one in shape.stretches if one.start_s <= at < one.end_s).rate_at(at)
        for at in ats
    ]
    return sum(rates) / steps


@pytest.mark.parametrize("drill", DRILLS, ids=named)
def test_what_must_recover_is_watched_for_long_enough(drill: Drill) -> None:
    """The rule looks at windows of 5 s: after the last heal the bound and one of them must fit."""
    scenario = drill.loaded.scenario
    heals_s = [one.at_s + (one.for_s or 0) for one in scenario.faults]
    for one in scenario.expect:
        if one.measure == "recover_s":
            assert scenario.phases.load_s - max(heals_s) >= one.bound + 5, one.text


def test_the_sets() -> None:
    assert len(of_set(DRILLS, "ci")) == 4
    assert {drill.entry.kind for drill in of_set(DRILLS, "ci")} >= {"control", "system"}
    assert of_set(DRILLS, "full") == DRILLS
    for name in SET_NAMES:
        assert of_set(DRILLS, name)
    assert sum(drill.run_s for drill in DRILLS) <= FULL_MINUTES_MAX * 60


def test_the_sizes_of_sets_are_what_the_docs_say() -> None:
    text = (ROOT / "docs" / "suite.md").read_text()
    for name, words in (
        ("ci", "four drills"), ("release", "25 drills"), ("peak", "13 drills"), ("full", "all 50"),
    ):  # fmt: skip
        assert re.search(rf"^\| `{name}` \|.*\| {words}, about ", text, re.MULTILINE), name
    assert [len(of_set(DRILLS, name)) for name in SET_NAMES] == [4, 25, 13, 50]


def test_every_claim_of_the_story_has_a_drill_or_says_that_it_has_none() -> None:
    assert not_covered(DRILLS) == []
    assert set(NOT_YET) <= set(CLAIM_IDS)
    assert len(set(CLAIM_IDS)) == len(CLAIMS)


def test_the_page_of_coverage_is_up_to_date() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text()
    assert text == page(DRILLS, kept(), kept("passes")), "make docs"
    for claim in CLAIMS:
        assert claim.text in text
    for drill in DRILLS:
        assert f"[{drill.name}](../{drill.path.relative_to(ROOT)})" in text


def test_the_page_tells_what_was_measured_and_of_which_version() -> None:
    drill = next(one for one in DRILLS if one.name == "gray-replica")
    values = {"fault.guarantee": [1.0, 1, 1], "drill.recover_s": [0.5, 0, 1]}
    arm = {"runs": 5, "held": 5, "values": values}
    low = {"runs": 5, "broke_by_them": 5, "values": {"fault.guarantee": [0.25, 0, 1]}}
    entry = drill.entry
    low["named"] = list(entry.off.breaches)
    found = {
        "fingerprint": fingerprint(drill), "commits": ["a"], "on": arm, "off": low, "faults": [],
        "differ": {"wanted": entry.differ.text},
        "mutations": [{"change": o.label, "breaches": list(o.breaches)} for o in entry.mutations],
    }  # fmt: skip
    now = page(DRILLS, {drill.name: found})
    assert "100.00 % on, 25.00 % off, 0.50 s on, no data off (5 + 5 runs)" in now
    assert "1 of them measured as their files are now" in now
    mixed = page(DRILLS, {drill.name: found | {"commits": ["a", "b"]}})
    assert "no data off (5 + 5 runs of 2 commits)" in mixed
    then = page(DRILLS, {drill.name: found | {"fingerprint": "of before"}})
    assert "not measured since the drill changed" in then
    # What is not sound, or has no run that counts, is not told as if it were.
    ill = found | {"faults": ["on: held 3 of 5", "x <= 3: 1.2 deviations away"]}
    told = "(5 + 5 runs; **on: held 3 of 5**; **x <= 3: 1.2 deviations away**)"
    assert told in page(DRILLS, {drill.name: ill})
    # Held against other lines than the drill names now.
    others: tuple[dict[str, Any], ...] = (
        {"off": low | {"named": ["fault: p95 < 1 s"]}}, {"differ": {"wanted": "other"}},
        {"mutations": []},
    )  # fmt: skip
    for other in others:
        told = page(DRILLS, {drill.name: found | other})
        assert "not judged by what the drill now says of its arms" in told
    none = page(DRILLS, {drill.name: found | {"off": low | {"runs": 0, "broke_by_them": 0}}})
    assert f"{len(DRILLS)} drills, 0 of them measured as their files are now" in none
    assert "since the drill changed" not in none


def test_the_page_tells_whether_the_drills_ended_alike_in_every_order() -> None:
    assert "was not run in several orders" in page(DRILLS, {})
    told = page(DRILLS, {}, {
        "passes": 3, "took_s": [2100.0, 2220.0, 2190.0], "verdicts": 150, "changed": 1,
        "differing": {"worst-day": ["held", "held", "inconclusive"]},
    })  # fmt: skip
    assert "1 of 150 verdicts differ from those of the other passes" in told
    assert "(worst-day: held, held, inconclusive); the longest pass took 37 minutes" in told


def test_every_result_is_named_with_its_command() -> None:
    text = (ROOT / "docs" / "results" / "README.md").read_text()
    named = [one for one in re.findall(r"`([a-z0-9.*-]+)`", text.replace("`-", "`failover-"))]
    for place in sorted((ROOT / "docs" / "results").glob("*.json")):
        assert any(fnmatch(place.stem, one.removesuffix(".json")) for one in named), place.name


def test_the_list_says_what_there_is() -> None:
    text = list_text(of_set(DRILLS, "ci"))
    lines = text.splitlines()
    assert lines[0].split() == ["drill", "class", "title", "sets", "takes"]
    assert len(lines) == 1 + 4 + 2
    assert "4 drills, about 3 min" in lines[-1]


def test_any_order_is_of_all_drills() -> None:
    assert in_order(DRILLS, "reversed") == DRILLS[::-1]
    shuffled = in_order(DRILLS, "7")
    assert shuffled == in_order(DRILLS, "7")
    assert shuffled != in_order(DRILLS, "8")
    assert sorted(map(named, shuffled)) == sorted(map(named, DRILLS))
    with pytest.raises(ScenarioError, match="a whole number to shuffle by"):
        in_order(DRILLS, "any")


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    text = SMOKE.read_text()
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace("warmup: 3s", "warmup: 60s"))
    ill = text.replace(
        '"fault: guarantee >= 97 %"]\n    differ', '"audit: two-payouts"]\n    differ'
    )
    ill = ill.replace("lender.protections.breaker: off", "lender.protections.braker: off")
    (tmp_path / "c.yaml").write_text(ill.replace("name: p", "name: q"))
    with pytest.raises(ScenarioError) as caught:
        find_drills(tmp_path)
    told = str(caught.value)
    assert "b.yaml:1: name: found 'partner-bank-slow-at-repayment-peak', as another drill" in told
    assert "phases: found about 108 s in all; allowed: at most 75 s" in told
    assert "found 'audit: two-payouts'; allowed: audit: one-payout? one of `baseline: " in told
    assert "mutations.0.set: found lender.protections.braker: an unknown key" in told


def test_a_folder_without_drills_and_a_set_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="a folder of scenarios with title"):
        find_drills(tmp_path)
    with pytest.raises(ScenarioError, match="release\\? one of ci, release, peak, full"):
        of_set(DRILLS, "relase")


def test_a_drill_of_the_run_directory_is_the_drill(tmp_path: Path) -> None:
    """The resolved scenario has the keys too: what a run says of itself is whole."""
    loaded = load_scenario(SMOKE, ("seed=5",), None)
    (tmp_path / "scenario.yaml").write_text(loaded.text)
    again = load_scenario(tmp_path / "scenario.yaml", (), None)
    assert again.scenario.entry == loaded.scenario.entry


STUDENTS = next(drill for drill in DRILLS if drill.name == "student-ban")


def changed(folder: Path, *changes: tuple[str, str]) -> Drill:
    """That drill as it would be with some words of its file, or of its rules, changed."""
    shutil.copytree(STUDENTS.path.parent, folder)
    files = [folder / STUDENTS.path.name, folder / "rules.yml"]
    for old, new in changes:
        (holder,) = [one for one in files if old in one.read_text()]
        holder.write_text(holder.read_text().replace(old, new))
    return next(drill for drill in find_drills(folder) if drill.name == STUDENTS.name)


def test_figures_outlive_what_is_only_said_of_a_drill(tmp_path: Path) -> None:
    said = changed(
        tmp_path / "said", ("title: ", "title: Once more "), ("sets: [", "sets: [peak, "),
        ("wrongly_approved by 10", "wrongly_approved by 9"),
    )  # fmt: skip
    assert said.entry != STUDENTS.entry
    assert fingerprint(said) == fingerprint(STUDENTS)


@pytest.mark.parametrize(
    "change",
    [
        ("seed: ", "seed: 9"),
        ("access >= 98 %", "access >= 97 %"),
        ("compliance_first: off", "early_warning: off"),
        ("partner_share_below: 30 %", "partner_share_below: 31 %"),
    ],
)
def test_figures_are_of_the_scenario_its_files_and_the_second_arm(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    assert fingerprint(changed(tmp_path / "changed", change)) != fingerprint(STUDENTS)
