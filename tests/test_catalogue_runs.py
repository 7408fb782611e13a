"""What is kept of the catalogue's runs: it outlives their directories, and is gone on with."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import catalogue_runs
from benchmarks.catalogue_runs import (
    ARMS,
    folder,
    keep_pass,
    lines_of,
    of_arm,
    pass_folder,
    passes_of,
    run_rounds,
    runs_of,
)
from harness.judge.health import UNWELL
from harness.repeats.book import read_done
from harness.suite.catalogue import Drill, find_drills
from harness.suite.seen import see
from harness.suite_run import suite_command
from tests.small_set import FAULT, Drilled, asked, small_set

Drills = tuple[Drill, ...]


@pytest.fixture
def drills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drills:
    monkeypatch.setattr(catalogue_runs, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(catalogue_runs, "LINES", tmp_path / "lines")
    return find_drills(small_set(tmp_path))


def passed(drills: Drills, number: int, drive: Drilled) -> None:
    order = catalogue_runs.ORDERS[number]
    scenarios = drills[0].path.parent
    place = pass_folder(drills, order)
    suite_command(asked(scenarios, order=order, reseed=number, resume=place), drive)
    keep_pass(drills, order)


def rounds(drill: Drill, count: int) -> list[str]:
    drive = Drilled({f"{drill.name} off": [FAULT]})
    run_rounds(drill, (drill.on(), drill.off()), count, ARMS, drive)
    return drive.ran


def test_what_was_run_is_known_when_its_directories_are_gone(
    drills: Drills, tmp_path: Path
) -> None:
    first = drills[0]
    assert rounds(first, 2) == ["a-one", "a-one off", "a-one off", "a-one"]
    place = folder(first) / ARMS
    real = {one.digest.run: see(place, one.digest) for one in read_done(place)}
    before = runs_of(first, ARMS)
    for _, seen in before:
        own_run = real.pop(str(Path(seen.digest.run).relative_to(f"{folder(first).name}/{ARMS}")))
        assert (seen.breached, seen.actual) == (own_run.breached, own_run.actual)
        for key in own_run.digest.values:
            assert seen.digest.value(key) == own_run.digest.value(key)
    assert not real
    shutil.rmtree(tmp_path / "kept")
    assert runs_of(first, ARMS) == before
    on, off = (of_arm(before, arm, first.name) for arm in (first.on(), first.off()))
    own = first.loaded.scenario.seed
    assert [one.digest.seed for one in on] == [own, own + 1]
    assert [one.digest.verdict for one in on] == ["held", "held"]
    assert [one.breached for one in off] == [(FAULT,), (FAULT,)]
    assert rounds(first, 2) == []
    assert rounds(first, 3) == ["a-one", "a-one off"]
    assert rounds(drills[1], 1) == ["b-two", "b-two off"]


def test_a_pass_is_the_first_arm_of_its_round(drills: Drills, tmp_path: Path) -> None:
    passed(drills, 0, Drilled({}))
    passed(drills, 1, Drilled({"b-two": [FAULT]}))
    shutil.rmtree(tmp_path / "kept")
    assert rounds(drills[1], 2) == ["b-two off", "b-two off"]
    on = of_arm(runs_of(drills[1], ARMS), drills[1].on(), "b-two")
    own = drills[1].loaded.scenario.seed
    assert [(one.digest.seed - own, one.digest.verdict) for one in on] == [
        (0, "held"), (1, "breached"),
    ]  # fmt: skip
    whole = list(passes_of(drills))
    assert [one["order"] for one in whole] == ["listed", "reversed"]
    assert whole[1]["verdicts"] == {"a-one": "held", "b-two": "breached", "c-three": "held"}
    assert whole[1]["took_s"] == round(
        sum(line["took_s"] for one in drills for line in lines_of(one)
            if line["order"] == "reversed"), 1,
    )  # fmt: skip


def test_a_pass_that_was_stopped_is_not_whole(drills: Drills) -> None:
    with pytest.raises(KeyboardInterrupt):
        passed(drills, 2, Drilled({}, stop=2))
    keep_pass(drills, "1")
    assert sum(len(lines_of(one)) for one in drills) == 2
    assert list(passes_of(drills)) == []


def test_a_pass_is_of_drills_that_ran_together(drills: Drills) -> None:
    passed(drills, 0, Drilled({"b-two": [FAULT]}))
    assert [one["verdicts"]["b-two"] for one in passes_of(drills)] == ["breached"]
    first = drills[0]
    first.path.write_text(first.path.read_text().replace("rate: 5/s", "rate: 6/s"))
    changed = find_drills(first.path.parent)
    with pytest.raises(KeyboardInterrupt):
        passed(changed, 0, Drilled({}, stop=2))
    keep_pass(changed, "listed")
    assert sum(len(lines_of(one)) for one in changed) == 3
    assert list(passes_of(changed)) == []
    passed(changed, 0, Drilled({}))
    (whole,) = passes_of(changed)
    assert set(whole["verdicts"].values()) == {"held"}
    assert sum(len(lines_of(one)) for one in changed) == 3


def test_a_drill_of_which_other_things_are_said_is_gone_on_with(drills: Drills) -> None:
    """Its runs count as they did, and a folder of repeats is of one text."""
    first = drills[0]
    rounds(first, 1)
    text = first.path.read_text()
    title = next(line for line in text.splitlines() if line.startswith("title: "))
    first.path.write_text(text.replace(title, "title: Another one says what happens"))
    now = find_drills(first.path.parent)[0]
    assert rounds(now, 2) == ["a-one off", "a-one"]
    assert len(lines_of(now)) == 4


def test_of_another_version_of_a_drill_nothing_is_kept(drills: Drills) -> None:
    first = drills[0]
    rounds(first, 1)
    first.path.write_text(first.path.read_text().replace("rate: 5/s", "rate: 6/s"))
    (changed, *_) = find_drills(first.path.parent)
    assert runs_of(changed, ARMS) == []
    assert rounds(changed, 1) == ["a-one", "a-one off"]
    assert len(lines_of(changed)) == 2
    assert lines_of(first) == []


def test_a_round_of_a_pass_whose_machine_was_not_well_is_made_up_for(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed(drills, 0, Drilled({}))
    first, own = drills[0], drills[0].loaded.scenario.seed
    real = catalogue_runs._ran

    def busy(line: catalogue_runs.Line) -> catalogue_runs.Ran:
        done, seen = real(line)
        if done.digest.seed != own:
            return done, seen
        doubted = replace(
            done.digest, verdict="inconclusive", doubts=(f"{UNWELL} in 3 of 30 seconds",)
        )
        return replace(done, digest=doubted), replace(seen, digest=doubted)

    monkeypatch.setattr(catalogue_runs, "_ran", busy)
    assert rounds(first, 1) == ["a-one off", "a-one"]
    on = of_arm(runs_of(first, ARMS), first.on(), first.name)
    assert [one.digest.seed for one in on] == [own + 1]
