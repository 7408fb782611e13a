"""What many runs of a drill say of it: the counts, the room of each expectation, what is ill."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.catalogue_figures import (
    arm_summary,
    drill_summary,
    faults_of,
    mixed,
    passes_faults,
    passes_summary,
    room,
)
from benchmarks.catalogue_runs import unwell_rounds
from harness.judge.health import UNWELL
from harness.repeats.book import Done
from harness.scenario.grammar import parse_expectation
from harness.scenario.loader import load_scenario
from harness.suite.seen import Seen
from tests.drills import SMOKE
from tests.fake_runs import figures

SCENARIO = load_scenario(SMOKE, (), None).scenario
ENTRY = SCENARIO.entry
FAULT = parse_expectation("guarantee >= 97 %", "fault")
LINE = "fault: guarantee >= 97 %"
OFF = "lender.protections.breaker=off"


def gave(share: float | None, *, verdict: str = "held", broke: tuple[str, ...] = ()) -> Seen:
    lines = {line: "breached" for line in broke}
    actual = {f"{one.phase}: {one.text}": 0.0 for one in SCENARIO.expect} | {
        LINE: share, "baseline: guarantee >= 99 %": 1.0,
    }  # fmt: skip
    return Seen(figures(verdict=verdict, fault__guarantee=share), lines, actual, {})


def bad(share: float = 0.2, *, broke: tuple[str, ...] = (LINE,)) -> Seen:
    return gave(share, verdict="breached", broke=broke)


def summary(on: list[Seen], off: list[Seen], mutated: list[Seen]) -> dict[str, Any]:
    assert ENTRY is not None
    arms = {"on": seeded(on), "off": seeded(off)}
    return drill_summary("d", ENTRY, SCENARIO.expect, arms, {OFF: mutated})


def seeded(runs: list[Seen]) -> list[Seen]:
    return [
        replace(one, digest=replace(one.digest, seed=seed)) for seed, one in enumerate(runs)
    ]  # fmt: skip


def test_a_sound_drill() -> None:
    on = [gave(1.0), gave(0.998), gave(0.999), gave(0.999), gave(0.999)]
    found = summary(on, [bad(), bad(0.3), bad(), bad(), bad()], [bad()])
    assert faults_of(found) == []
    assert found["on"]["held"] == found["off"]["breached"] == found["off"]["broke_by_them"] == 5
    assert found["off"]["broke"] == {LINE: 5}
    assert found["on"]["values"]["fault.guarantee"] == [0.999, 0.998, 1.0]
    assert found["differ"] == {
        "wanted": "fault.guarantee by 20 points", "pairs": 5, "well": 5, "ill": [],
    }  # fmt: skip
    made_up_for = found | {"rounds_made_up_for": 6}
    assert faults_of(made_up_for) == ["6 rounds left out, more than there are to go by"]


def test_fewer_than_five_runs_are_not_enough() -> None:
    on, off = [gave(1.0), gave(0.998), gave(0.999)], [bad(), bad(0.3), bad()]
    assert faults_of(summary(on, off, [bad()])) == ["3 + 3 runs, 3 pairs of 5"]


def test_pairs_are_of_one_seed_and_what_has_no_partner_is_none() -> None:
    assert ENTRY is not None
    on, off = seeded([gave(1.0), gave(0.9), gave(0.8)]), seeded([bad(0.9), bad(0.7)])
    arms = {"on": on, "off": [off[1]]}
    assert drill_summary("d", ENTRY, SCENARIO.expect, arms, {})["differ"] == {
        "wanted": "fault.guarantee by 20 points", "pairs": 1, "well": 1, "ill": [],
    }  # fmt: skip


def test_everything_ill_is_said() -> None:
    on = [gave(1.0), bad(0.9), gave(0.98)]
    off = [bad(0.85), bad(0.2, broke=("audit: one-payout",)), gave(0.1, verdict="inconclusive")]
    told = "\n".join(faults_of(summary(on, off, [bad(broke=(LINE, "audit: one-payout"))])))
    assert f"on: held 2 of 3 (broke: {LINE} (1))" in told
    assert f"off: broken by {LINE} 1 of 3 (broke: " in told
    assert "audit: one-payout (1); because" in told
    assert "arms: fault.guarantee by 20 points in 1 of 3 pairs" in told
    assert f"{LINE}: 0.18 deviations away" in told
    assert f"{OFF}: as it should 0 of 1: {LINE}, audit: one-payout broke" in told


def test_runs_of_several_commits_are_said_to_be_so() -> None:
    one = "0123456789ab" + "c" * 28
    assert mixed([]) == mixed([one]) == ""
    told = " (runs of 2 commits: 0123456789ab, 0123456789ab+changes)"
    assert mixed([one, f"{one}+changes"]) == told


def test_what_was_not_run_is_not_sound() -> None:
    told = faults_of(summary([], [], []))
    assert "on: held 0 of 0" in told
    assert f"off: broken by {LINE} 0 of 0" in told
    assert f"{OFF}: as it should 0 of 0" in told
    assert f"{LINE}: not measured in every run" in told


@given(st.lists(st.integers(500, 1000).map(lambda n: n / 1000), min_size=2, max_size=8))
def test_room_grows_with_distance_and_shrinks_with_spread(shares: list[float]) -> None:
    near = room(FAULT, [gave(share) for share in shares])
    below = parse_expectation("guarantee >= 40 %", "fault")
    seen = [
        Seen(one.digest, {}, {"fault: guarantee >= 40 %": one.actual[LINE]}, {})
        for one in map(gave, shares)
    ]
    far = room(below, seen)
    assert far["runs"] == near["runs"] == len(shares)
    if not far["exact"]:
        assert far["deviations"] > near["deviations"]
    assert far["well"] or far["deviations"] < 3


def test_room_of_counts_of_relative_bounds_and_of_nothing() -> None:
    exact = parse_expectation("wrongly_approved = 0", "drill")
    runs = [gave(1.0), gave(1.0)]
    assert room(exact, runs) == {
        "line": "drill: wrongly_approved = 0", "runs": 2, "room": 0.0, "deviations": None,
        "exact": True, "well": True,
    }  # fmt: skip
    relative = parse_expectation("p50 <= 2 x baseline", "fault")
    line = "fault: p50 <= 2 x baseline"
    slow = [
        Seen(figures(baseline__p50=usual), {}, {line: now}, {})
        for usual, now in ((40.0, 50.0), (44.0, 56.0))
    ]
    found = room(relative, slow)
    assert found["room"] == pytest.approx(31.0)
    assert found["well"]
    assert not room(FAULT, [gave(1.0), gave(None)])["well"]
    assert not room(FAULT, [gave(1.0)])["well"]


def test_runs_in_doubt_are_counted_and_not_measured() -> None:
    found = arm_summary([gave(1.0), gave(0.1, verdict="inconclusive")])
    assert (found["held"], found["inconclusive"]) == (1, 1)
    assert found["values"]["fault.guarantee"] == [1.0, 1.0, 1.0]
    assert found["doubts"] == ["because"]


def test_passes_that_do_not_end_alike() -> None:
    words = (("held", "held"), ("held", "inconclusive"), ("breached", "held"))
    found = passes_summary(
        [
            {"order": str(n), "took_s": 60.0 + n, "verdicts": {"a": a, "b": b}}
            for n, (a, b) in enumerate(words)
        ]
    )
    assert found["verdicts"] == 6
    assert found["changed"] == 2
    assert found["differing"] == {
        "a": ["held", "held", "breached"], "b": ["held", "inconclusive", "held"],
    }  # fmt: skip
    assert found["opposite"] == ["a"]
    assert found["took_s"] == [60.0, 61.0, 62.0]


def test_passes_must_be_three_short_and_alike() -> None:
    held = {f"d{n}": "held" for n in range(50)}
    passes: list[Any] = [
        {"order": str(n), "took_s": 2390.0, "verdicts": dict(held)} for n in range(3)
    ]
    assert passes_faults(passes_summary(passes)) == []
    for n in range(2):
        passes[n]["verdicts"][f"d{n}"] = "inconclusive"
    assert passes_faults(passes_summary(passes)) == []
    passes[2]["verdicts"]["d3"] = "inconclusive"
    assert passes_faults(passes_summary(passes)) == ["3 of 150 verdicts differ from the others"]
    passes[2]["verdicts"] = held | {"d2": "breached"}
    passes[1]["took_s"] = 2500.0
    assert passes_faults(passes_summary(passes)) == [
        "one took 42 min", "3 of 150 verdicts differ from the others",
        "d2 held in one and was breached in another",
    ]  # fmt: skip
    assert passes_faults(passes_summary([])) == ["0 of 3 are whole"]
    for one in passes:
        one |= {"took_s": 60.0, "verdicts": held | {"d7": "breached"}}
    assert passes_faults(passes_summary(passes)) == ["d7 held in none"], "alike, and not as it must"


def ran(number: int, arm: str, verdict: str = "held", doubt: str = "") -> Done:
    doubts = (doubt,) if doubt else ()
    return Done(number, arm, 1.0, replace(figures(verdict=verdict), doubts=doubts))


def test_only_rounds_in_doubt_by_their_machine_are_made_up_for() -> None:
    busy = f"{UNWELL} in 3 of 30 seconds"
    done = [
        ran(0, "on"), ran(0, "off", "breached"),
        ran(1, "on"), ran(1, "off", "inconclusive", busy),
        ran(2, "on", "inconclusive", "service: late bank.own: touched no call"), ran(2, "off"),
    ]  # fmt: skip
    assert unwell_rounds(done, "on") == {1}
    both = replace(done[3].digest, doubts=(busy, "the baseline drifted"))
    assert unwell_rounds([replace(done[3], digest=both)], "on") == set()


def test_a_breach_of_the_first_arm_is_not_made_up_for() -> None:
    """Else "held 5 of 5" is said of six drills, one of which lost money."""
    busy = f"{UNWELL} in 3 of 30 seconds"
    lost = [ran(0, "on", "breached", busy), ran(0, "off", "breached")]
    beside = [ran(1, "on", "breached"), ran(1, "off", "inconclusive", busy)]
    named = [ran(2, "on"), ran(2, "off", "breached", busy)]
    assert unwell_rounds([*lost, *beside, *named], "on") == {2}
