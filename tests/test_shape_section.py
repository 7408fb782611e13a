"""`load.shape` in scenario files: shapes, lists of them, traces; every mistake in its place."""

from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from harness.scenario.shape import Shape
from harness.scenario.shape_section import KINDS
from tests.drills import ROOT, SMOKE

STEADY = "{kind: steady, rate: 30/s, steps: [{at: fault+0s, rate: 55/s}]}"
DOCS = (ROOT / "docs" / "scenario-format.md").read_text()


def scenario(tmp_path: Path, shape: str, *more: tuple[str, str]) -> Path:
    """The smoke scenario with another shape: warmup 3 s, baseline 12 s, fault 14 s, watch 12 s."""
    text = SMOKE.read_text()
    for old, new in ((STEADY, shape), *more):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


def shaped(tmp_path: Path, shape: str, *more: tuple[str, str]) -> Shape:
    return load_scenario(scenario(tmp_path, shape, *more), (), None).scenario.load.shape


def problems(path: Path) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        make_plan(load_scenario(path, (), None).scenario)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def rows(shape: Shape) -> list[tuple[float, ...]]:
    return [
        tuple(round(x, 6) for x in (s.start_s, s.end_s, s.rate_per_s, s.last_per_s))
        for s in shape.stretches
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{kind: ramp, rate: 10/s, to: 50/s, at: baseline, rise: 6s}",
         [(0, 3, 10, 10), (3, 9, 10, 50), (9, 41, 50, 50)]),
        ("{kind: step, rate: 10/s, to: 30/s, at: baseline, by: 10/s, every: 5s}",
         [(0, 3, 10, 10), (3, 8, 20, 20), (8, 41, 30, 30)]),
        ("{kind: double_peak, rate: 5/s, peak: 10/s, at: baseline, again: fault+5s, rise: 1s, "
         "for: 1s, fall: 0s, second_peak: 20/s}",
         [(0, 3, 5, 5), (3, 4, 5, 10), (4, 5, 10, 10), (5, 20, 5, 5), (20, 21, 5, 20),
          (21, 22, 20, 20), (22, 41, 5, 5)]),
        ("{kind: diurnal, rate: 10/s, peak: 30/s, day: 82s, hours: [0, 1]}", [(0, 41, 10, 30)]),
        ("{kind: repayment_day, rate: 10/s, at: fault, rise: 2s, for: 5s, fall: 4s}",
         [(0, 15, 10, 10), (15, 17, 10, 60), (17, 22, 60, 60), (22, 26, 60, 10), (26, 41, 10, 10)]),
        ("{kind: promotion, rate: 0/s, peak: 64/s, at: watch, half_life: 6s}",
         [(0, 29, 0, 0), (29, 35, 64, 32), (35, 41, 32, 16)]),
        ("{kind: festival_eve, rate: 10/s, at: watch, rise: 10s}",
         [(0, 19, 10, 10), (19, 29, 10, 20), (29, 41, 5, 5)]),
        ("{kind: quarter_end, rate: 10/s, at: fault+2s, rise: 4s, days: 1}",
         [(0, 13, 10, 10), (13, 17, 13, 13), (17, 41, 10, 10)]),
        ("{kind: spike, rate: 1/s, spikes: [{at: fault+2s, for: 3s, rate: 9/s}], repeat: 10s}",
         [(0, 17, 1, 1), (17, 20, 9, 9), (20, 27, 1, 1), (27, 30, 9, 9), (30, 37, 1, 1),
          (37, 40, 9, 9), (40, 41, 1, 1)]),
        ("[{kind: steady, rate: 10/s}, {kind: ramp, rate: 0/s, to: 20/s, at: fault, rise: 10s}]",
         [(0, 15, 10, 10), (15, 25, 10, 30), (25, 41, 30, 30)]),
    ],
)  # fmt: skip
def test_shapes_from_a_file(tmp_path: Path, text: str, expected: list[tuple[float, ...]]) -> None:
    found = [one for one in rows(shaped(tmp_path, text)) if one[1] > one[0]]
    merged: list[tuple[float, ...]] = []
    for one in found:
        level = one[2] == one[3]
        if merged and level and merged[-1][2:] == one[2:]:
            merged[-1] = (merged[-1][0], *one[1:])
        else:
            merged.append(one)
    assert merged == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{kind: wave, rate: 1/s}", "load.shape.kind: found 'wave'; allowed: one of steady, spike"),
        ("{rate: 1/s}", "load.shape.kind: found nothing"),
        ("{kind: ramp, rate: 1/s, at: fault, rise: 1s}", "load.shape.to: found nothing"),
        ("{kind: ramp, rate: 1/s, to: 2/s, at: lunch, rise: 1s}", "load.shape.at: found 'lunch'"),
        ("{kind: promotion, rate: 1/s, peak: 1/s, at: fault, half_life: 1s}",
         "load.shape.peak: found 1/s; allowed: a peak above the rate, 1/s"),
        ("{kind: promotion, rate: 0/s, at: fault, half_life: 1s}", "load.shape.peak: found 0/s"),
        ("{kind: steady, rate: 1/s, peak: 2/s}", "load.shape.peak: found an unknown key"),
        ("{kind: steady, rate: 1/s, repeat: 5s}", "a shape that changes more than once"),
        ("{kind: steady, rate: 6000/s}", "at most 5000/s"),
        ("[{kind: steady, rate: 3000/s}, {kind: ramp, rate: 0/s, to: 3000/s, at: fault, rise: 9s}]",
         "load.shape: found 6000/s together at 24 s; allowed: at most 5000/s"),
        ("[]", "load.shape: found 0 shapes; allowed: 1 to 20 shapes"),
        ("[{kind: steady, rate: 1/s}, 3]", "load.shape.1: found '3'; allowed: a mapping"),
        ("[{kind: steady, rate: 1/s}, {kind: steady, rate: 1/m, steps: [{at: fault}]}]",
         "load.shape.1.steps.0.rate: found nothing"),
        ("{kind: diurnal, rate: 1/s, peak: 2/s, day: 10ms}", "a duration of at least 1 s"),
        ("{kind: diurnal, rate: 1/s, peak: 2/s, day: 9s, hours: [0, 2]}", "load.shape.hours.1"),
        ("{kind: diurnal, rate: 1/s, peak: 2/s, day: 9s, hours: [1]}", "2 to 96 levels"),
        ("{kind: quarter_end, rate: 9/s, at: fault, rise: 9s, days: 0}", "whole number from 1"),
        ("{kind: trace, file: none.csv}", "a file that exists: there is none at none.csv"),
        ("{kind: trace, file: s.yaml}", "a file that ends in .csv or .parquet"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    path = scenario(tmp_path, text)
    line = next(n for n, row in enumerate(path.read_text().splitlines(), 1) if "shape:" in row)
    found = problems(path)
    assert any(words in one and one.startswith(f"s.yaml:{line}: ") for one in found), found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{kind: festival_eve, rate: 10/s, at: baseline, rise: 6s}",
         "load.shape.rise: begins 3 s before the load does, which starts at 15/s"),
        ("{kind: quarter_end, rate: 10/s, at: baseline, rise: 3s}", ""),
        ("{kind: step, rate: 5/s, to: 40/s, at: fault, by: 5/s, every: 10s}",
         "load.shape.to: 40/s is reached at 75 s; the load ends at 41 s"),
        ("{kind: step, rate: 5/s, to: 15/s, at: fault, by: 5/s, every: 10s}", ""),
        ("{kind: ramp, rate: 5/s, to: 15/s, at: watch, rise: 12s}",
         "load.shape.to: 15/s is reached at 41 s; the load ends at 41 s"),
        ("[{kind: steady, rate: 5/s}, {kind: repayment_day, rate: 1/s, at: watch, rise: 20s, "
         "for: 1s, fall: 1s}]", "load.shape.1.at: 6/s is reached at 49 s; the load ends at 41 s"),
        ("{kind: promotion, rate: 5/s, at: watch, half_life: 5s}", ""),
    ],
)  # fmt: skip
def test_a_rise_that_the_load_cuts_off_is_warned_of(tmp_path: Path, text: str, told: str) -> None:
    path = scenario(tmp_path, text)
    line = next(n for n, row in enumerate(path.read_text().splitlines(), 1) if "shape:" in row)
    warned = load_scenario(path, (), None).warnings
    assert warned == ((f"{path}:{line}: {told}",) if told else ())


def test_more_draws_than_can_be_judged_are_refused(tmp_path: Path) -> None:
    long = ("watch: 12s", "watch: 10m")
    told = problems(scenario(tmp_path, "{kind: steady, rate: 2000/s}", long))
    assert told[0].endswith(
        "load.shape: found about 1258000 draws; allowed: at most 1000000 in all"
    )


def test_a_list_item_is_overridden_by_its_number(tmp_path: Path) -> None:
    path = scenario(tmp_path, "[{kind: steady, rate: 10/s}, {kind: steady, rate: 5/s}]")
    loaded = load_scenario(path, ("load.shape.1.rate=7/s", "load.spacing=even"), None)
    assert rows(loaded.scenario.load.shape) == [(0, 41, 17, 17)]
    assert loaded.scenario.load.shape.spacing == "even"
    assert len(make_plan(loaded.scenario).intents) in (41 * 17 - 1, 41 * 17)
    with pytest.raises(ScenarioError, match=r"load\.spacing.*one of poisson, even"):
        load_scenario(path, ("load.spacing=random",), None)


def test_every_kind_is_in_the_docs_with_its_keys() -> None:
    for name, kind in KINDS.items():
        row = next((r for r in DOCS.splitlines() if r.startswith(f"| `{name}` |")), "")
        for key in (*kind.needed, *kind.optional):
            if (name, key) != ("steady", "spikes") and key != "repeat":
                assert f"`{key}`" in row, f"{name}: {key}"


# A trace.
