"""What compare and gate refuse, and what they say of settings, lost measures and more pairs."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.baselines import Baseline, more_pairs
from harness.cli import main
from harness.compare.comparison import Comparison, compare
from harness.compare.measures import USUAL
from harness.compare.pairs import no_pair, pairing
from harness.errors import ScenarioError
from harness.evidence.seal import PLACE as SEAL
from harness.given_runs import runs_of, two_sides
from harness.judge.judge import judge
from harness.repeats.digest import digest, from_json
from harness.report.comparison import (
    comparison_html,
    comparison_json,
    comparison_junit,
    comparison_md,
    comparison_text,
)
from harness.scenario.settings import leaves
from tests.drills import ROOT
from tests.fake_runs import SMALL, figures, keep_run
from tests.run_views import SMOKE, clean
from tests.test_comparison import runs


def lies(place: Path, seal: str = "") -> Path:
    """Enough of a run directory to be named on the command line."""
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    if seal:
        (place / SEAL).write_text(seal)
    return place


def read_junit(found: Comparison) -> ElementTree.Element:
    return ElementTree.fromstring(comparison_junit(found, "t"))  # noqa: S314  our own


def test_runs_are_not_compared_with_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    first, _ = lies(folder / "a"), lies(folder / "b")
    (folder / "latest").symlink_to("a")
    copies = lies(tmp_path / "one", "digests"), lies(tmp_path / "copy", "digests")
    for words in ([folder], [folder, folder], [first], [first, folder / "latest"], [*copies]):
        assert main(["compare", *map(str, words), "--out", str(tmp_path / "out")]) == 2
        assert "CANDIDATE: found the same runs as BASE; allowed: other" in capsys.readouterr().err
    with pytest.raises(ScenarioError, match="found a, on the side of BASE too"):
        two_sides(folder, first)
    assert not (tmp_path / "out").exists()


def test_runs_that_can_not_be_paired_are_refused_with_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, other = keep_run(tmp_path / "a", 7, changes=SMALL), tmp_path / "b"
    keep_run(other, 8, changes=SMALL)
    assert main(["compare", str(base), str(other), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "no seed in common: base 7; candidate 8; allowed: runs with the same seeds: " in said
    assert "`drawproof run SCENARIO --set seed=7`" in said
    assert not (tmp_path / "out").exists()


def test_why_there_is_no_pair() -> None:
    one = replace(figures(7), settings={"load.shape.rate": "4/s"})
    assert no_pair([one], [one]) is None
    found, _ = no_pair([one], [replace(one, scenario="short", plan="q")]) or ("", "")
    assert found == "no draws in common: scenarios demo and short differ"
    many = [replace(one, seed=n) for n in range(9, 14)]
    found, _ = no_pair([one], many) or ("", "")
    assert found == "no seed in common: base 7; candidate 9, 10, 11 and 2 more"
    faster = replace(one, plan="q", settings={"load.shape.rate": "6/s"})
    found, _ = no_pair([one], [faster]) or ("", "")
    assert found.endswith("others were planned (load.shape.rate: base 4/s; candidate 6/s)")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "--candidate-set", "seed=5"], "--candidate-set seed: found 'seed=5', for one"),
        (["compare", "--base-set", "seed=5"], "--base-set seed: found 'seed=5', for one"),
        (["compare", "--set", "seed=4", "--candidate-set", "seed=5"], "both sides: `--set seed=5`"),
        (["gate", "--set", "seed=5"], "--set seed: found 'seed=5'; allowed: no seed: those of the"),
    ],
)
def test_a_seed_that_would_be_without_effect_is_refused(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([words[0], str(SMOKE), *words[1:], "--out", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_settings_that_differ_are_said_in_every_form_and_escaped() -> None:
    known = {"name": "a", "seed": "1", "lender.profile": "full", "lender.capacity.latency": "80ms"}
    base = [replace(one, settings=known) for one in runs([1.0] * 8)]
    changed = {**known, "name": "b", "seed": "2", "lender.capacity.latency": "160ms", "x": "<b>|"}
    found = compare(base, [replace(one, settings=changed) for one in runs([1.0] * 8)], USUAL)
    latency = "lender.capacity.latency: base 80ms; candidate 160ms"
    assert found.settings == (latency, "x: base not set; candidate <b>|")
    assert f"differs     {latency}" in comparison_text(found)
    for text in (comparison_html(found, "t"), comparison_md(found, "t")):
        assert latency in text
        assert "<b>|" not in text
    assert json.loads(comparison_json(found))["not_the_same"] == list(found.settings)
    properties = {one.get("name"): one.get("value") for one in read_junit(found).iter("property")}
    assert properties["not_the_same"] == "; ".join(found.settings)


def test_of_many_settings_a_few_are_shown_and_all_are_kept() -> None:
    base = [replace(one, settings={f"k{n}": "1" for n in range(9)}) for one in runs([1.0])]
    other = [replace(one, settings={f"k{n}": "2" for n in range(9)}) for one in base]
    found = compare(base, other, USUAL)
    text = comparison_text(found)
    assert text.count("base 1; candidate 2") == 6
    assert "and 3 more settings: see compare.json" in text
    assert len(json.loads(comparison_json(found))["not_the_same"]) == 9
    before = compare(runs([1.0]), other, USUAL)
    assert before.settings == ("settings: not written down of the base, so none is compared",)


def test_other_faults_are_said_without_a_fingerprint() -> None:
    found = compare(runs([1.0]), [replace(one, faults="1495a79b") for one in runs([1.0])], USUAL)
    assert found.notes == ("faults: other ones, or at other times",)


def test_a_digest_has_the_settings_of_its_run(tmp_path: Path) -> None:
    found = digest(keep_run(tmp_path / "a", 7, changes=SMALL), "a")
    assert found.settings["load.shape.rate"] == "4/s"
    assert found.settings["lender.capacity.bank_latency"] == "80ms"
    assert from_json(found.as_json()) == found
    old = {key: value for key, value in found.as_json().items() if key != "settings"}
    assert from_json(old).settings == {}


def test_values_by_their_paths() -> None:
    text = "a: {b: yes, c: {}}\nd: [1, {e: x}]\nf: [p < 1, 2]\n"
    assert leaves(text) == {
        "a.b": "yes", "a.c": "{}", "d.0": "1", "d.1.e": "x", "f": "['p < 1', 2]",
    }  # fmt: skip


def test_measures_without_data_are_in_every_form() -> None:
    found = compare(runs([1.0] * 8), [*runs([1.0] * 8)], USUAL)
    assert "fault.p95 |  |  | no data | cannot tell" in comparison_md(found, "t")
    cases = read_junit(found)
    assert (cases.get("skipped"), cases.get("errors"), cases.get("tests")) == ("6", "0", "8")
    had = [replace(one, values={**one.values, "fault.p95": 9.0}) for one in runs([1.0] * 8)]
    found = compare(runs([1.0] * 8), had, USUAL)
    assert found.word == "same"  # what the base never had is no loss
    lost = compare(had, runs([1.0] * 8), USUAL)
    assert (lost.word, lost.reason.partition(":")[0]) == ("cannot tell", "fault.p95")
    assert "no data on both sides: base in 8 pairs, candidate in 0" in comparison_md(lost, "t")
    assert 'skipped="5"' in comparison_junit(lost, "t")
    assert 'errors="2"' in comparison_junit(lost, "t")


def test_a_gate_says_how_to_come_by_more_pairs() -> None:
    def told(baseline: int, asked: int, share: float = 1.0) -> str:
        kept = Baseline("main", tuple(runs([1.0] * baseline)), "today", "")
        found = compare(kept.runs[:asked], runs([share] * asked), USUAL)
        assert (found.more is None) == (asked >= 8)
        return more_pairs(found, kept, asked)

    assert told(3, 1).startswith("; for more, set it from 8 runs or more: `drawproof baseline set")
    assert told(9, 2) == "; for more, --pairs 8"
    assert told(9, 8) == ""


def test_an_interrupted_run_is_paired_only_where_there_is_no_other() -> None:
    (sound,) = runs([1.0])
    judged = judge(replace(clean(), ended="interrupted: SIGTERM"))
    cut = replace(sound, run="cut", verdict=judged.verdict, doubts=tuple(judged.doubts))
    found = pairing([cut, sound], [sound])
    assert [pair.base for pair in found.pairs] == [sound]
    assert found.alone == ("base: cut (seed 0)",)
    # Any other doubt may be the lender's doing: no run is chosen for being without one.
    slow = replace(cut, run="slow", doubts=("the generator was late",))
    assert pairing([slow, sound], [sound]).pairs[0].base == slow


def test_names_that_are_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "main" / "20261126T000000-run-short"
    book = {
        "runs": [
            {"round": 0, "arm": arm, "took_s": 1.0, **figures(7).as_json()}
            for arm in ("full", "full - breaker")
        ]
    }
    made.mkdir(parents=True)
    (made / "repeats.json").write_text(json.dumps(book))
    one = str(lies(tmp_path / "one"))
    for base, candidate, says in (
        ("no.yaml", one, "BASE: found 'no.yaml', which does not exist; allowed: a scenario"),
        (one, "no.yaml", "CANDIDATE: found 'no.yaml', which does not exist"),
        (str(made.parent), one, f"folders of repeats, and no run directory; allowed: one of them: "
                                f"{made}"),
        (str(made), one, f"which has several arms; allowed: one of them: '{made}:full', "
                         f"'{made}:full - breaker'"),
        (f"{made}:nosuch", one, "which has no arm 'nosuch'; allowed: one of them"),
    ):  # fmt: skip
        assert main(["compare", base, candidate, "--out", str(tmp_path / "out")]) == 2
        assert says in capsys.readouterr().err
    with pytest.raises(ScenarioError, match=r"RUN: found .*folders of repeats"):
        runs_of(made.parent)
    assert [one.run for one in runs_of(Path(f"{made}:full - breaker"))] == ["run-7"]


def test_the_steps_of_ci_that_show_a_summary_do_not_fail_where_there_is_none(
    tmp_path: Path,
) -> None:
    lines = (ROOT / "docs" / "ci.md").read_text().splitlines()
    steps = [line.partition("run: ")[2] for line in lines if "run: cat runs/" in line]
    assert len(steps) == 2
    for step in steps:
        done = subprocess.run(
            ["/bin/bash", "-e", "-c", step], cwd=tmp_path, capture_output=True, check=False,
            env={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0
