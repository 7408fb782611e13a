"""`load.shape` in scenario files: shapes, lists of them, traces; every mistake in its place."""

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.drill import prepare
from harness.errors import ScenarioError
from harness.load.arrivals import arrivals
from harness.plan import make_plan
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.model import Shape
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

ALONE = (("must_refuse: 0.03", "must_refuse: 0"),)
TRACE = "{kind: trace, file: t.csv, at: baseline}"
CSV = "due_s,borrower,amount_fen\n2.5,7,12300\n\n0,9,500\n30,7,100\n"


def parquet(**columns: list[object]) -> bytes:
    held = io.BytesIO()
    pq.write_table(pa.table(columns), held)
    return held.getvalue()


def test_a_trace_says_who_draws_how_much_and_when(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    plan = make_plan(load_scenario(scenario(tmp_path, TRACE, *ALONE), (), None).scenario)
    assert [(i.due_ns, i.borrower, i.amount_fen, i.phase) for i in plan.intents] == [
        (3_000_000_000, 9, 500, "baseline"), (5_500_000_000, 7, 12300, "baseline"),
        (33_000_000_000, 7, 100, "watch"),
    ]  # fmt: skip
    groups = {one.borrower: one.group for one in plan.population}
    assert [i.group for i in plan.intents] == [groups[i.borrower] for i in plan.intents]


def test_a_parquet_trace_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    same = parquet(amount_fen=[12300, 500, 100], borrower=[7, 9, 7], due_s=[2.5, 0.0, 30.0])
    (tmp_path / "t.parquet").write_bytes(same)
    other = shaped(tmp_path, TRACE.replace("csv", "parquet"), *ALONE).traced
    assert shaped(tmp_path, TRACE, *ALONE).traced == other


def test_a_trace_without_borrowers_adds_to_other_shapes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("due_s,amount_fen\n1.25,4200\n")
    path = scenario(tmp_path, f"[{{kind: steady, rate: 2/s}}, {TRACE}]", *ALONE)
    plan = make_plan(load_scenario(path, ("load.spacing=even",), None).scenario)
    assert len(plan.intents) == 41 * 2
    (given,) = (i for i in plan.intents if i.due_ns == 4_250_000_000)
    assert given.amount_fen == 4200
    assert [i.intent for i in plan.intents] == list(range(82))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "t.csv:1: due_s: found no such column"),
        (b"due_s\n", "t.csv: (top): found no row"),
        (b"due_s,colour\n1,red\n", "t.csv:1: colour: found the column 'colour'"),
        (b"due_s,due_s\n1,1\n", "t.csv:1: due_s: found the column 'due_s'"),
        (b"borrower\n1\n", "t.csv:1: due_s: found no such column"),
        (b"due_s\n-1\n", "t.csv:2: row 1, due_s: found '-1'; allowed: seconds from 0 to below 38"),
        (b"due_s\n38\n", "t.csv:2: row 1, due_s: found '38'"),
        (b"due_s\nnan\n", "t.csv:2: row 1, due_s: found 'nan'"),
        (b"due_s\n\n\n1e1\n", "t.csv:4: row 1, due_s: found '1e1'"),
        (b"due_s,borrower\n,1\n", "t.csv:2: row 1, due_s: found nothing"),
        (b"due_s,amount_fen\n1,100.5\n", "t.csv:2: row 1, amount_fen: found '100.5'"),
        (b"due_s,borrower\n1,2.5\n", "t.csv:2: row 1, borrower: found '2.5'"),
        (b"due_s,borrower\n1,1\n2,20001\n",
         "t.csv:3: row 2, borrower: found '20001'; allowed: a whole number from 1 to 20000"),
        (b"due_s,amount_fen\n1,0\n", "t.csv:2: row 1, amount_fen: found '0'"),
        (b"due_s,amount_fen\n1\n", "t.csv:2: row 1: found 1 values; allowed: 2, as in the header"),
        (b'due_s\n"1\n', "t.csv:2: (top): found unexpected end of data"),
        (b"due_s\n\xff\n", "t.csv: (top): found bytes that are not UTF-8"),
        (b"due_s,borrower\n1,5\n20.9,5\n", "t.csv: row 2, due_s: found borrower 5 again after"),
    ],
)  # fmt: skip
def test_mistakes_of_a_trace(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "t.csv").write_bytes(text)
    found = problems(scenario(tmp_path, TRACE, *ALONE))
    assert any(one.startswith(told) for one in found), found


def test_mistakes_of_a_trace_are_told_by_kind_and_not_without_end(tmp_path: Path) -> None:
    rows = ["1,x", "y,2", *[f"{n},3" for n in range(30, 130)], *["1,20001"] * 6, "1"]
    (tmp_path / "t.csv").write_text("due_s,borrower\n" + "\n".join(rows) + "\n")
    found = [one.partition("; allowed")[0] for one in problems(scenario(tmp_path, TRACE, *ALONE))]
    assert found == [
        "t.csv: due_s: found rows up to 129 s",
        "t.csv:2: row 1, borrower: found 'x'",
        "t.csv:3: row 2, due_s: found 'y'",
        *(f"t.csv:{n}: row {n - 1}, due_s: found '{n + 26}'" for n in range(12, 16)),
        "t.csv:16: due_s: found 88 more rows like these",
        *(f"t.csv:{n}: row {n - 1}, borrower: found '20001'" for n in range(104, 108)),
        "t.csv:108: borrower: found 2 more rows like these",
        "t.csv:110: row 109: found 1 values",
    ]


def test_what_a_trace_leaves_open_is_chosen_and_whole_numbers_may_have_a_point(
    tmp_path: Path,
) -> None:
    """As pandas writes whole numbers beside empty cells."""
    (tmp_path / "t.csv").write_text("due_s,borrower,amount_fen\n1,7.0,\n2,,12300.0\n3,8,500\n")
    plan = make_plan(load_scenario(scenario(tmp_path, TRACE, *ALONE), (), None).scenario)
    one, two, three = plan.intents
    assert (one.borrower, three.borrower, two.amount_fen) == (7, 8, 12300)
    assert one.amount_fen % 100 == 0
    assert two.borrower not in (7, 8)
    same = parquet(due_s=[1, 2, 3], borrower=[7.0, None, 8.0], amount_fen=[None, 12300.0, 500.0])
    (tmp_path / "t.parquet").write_bytes(same)
    parted = scenario(tmp_path, TRACE.replace("csv", "parquet"), *ALONE)
    assert make_plan(load_scenario(parted, (), None).scenario).intents == plan.intents


def test_who_is_named_by_a_trace_is_left_to_it(tmp_path: Path) -> None:
    """Nobody else's draw is theirs, so that they can't come again too soon."""
    rows = "".join(f"{n / 20},{n + 1 if n % 2 else ''}\n" for n in range(400))
    (tmp_path / "t.csv").write_text("due_s,borrower\n" + rows)
    path = scenario(tmp_path, TRACE, *ALONE, ("borrowers: 20000", "borrowers: 500"))
    plan = make_plan(load_scenario(path, (), None).scenario)
    named = {n + 1 for n in range(400) if n % 2}
    chosen = {one.borrower for n, one in enumerate(plan.intents) if n % 2 == 0}
    assert len(chosen) == 200
    assert not named & chosen
    (told,) = problems(scenario(tmp_path, TRACE, *ALONE, ("borrowers: 20000", "borrowers: 400")))
    needed = int(told.partition("at least ")[2].partition(" ")[0])
    assert 400 < needed <= 420


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PAR1", "t.parquet: (top): found "),
        (parquet(due_s=[1.0, None]), "t.parquet: row 2, due_s: found nothing"),
        (parquet(due_s=[1.0], borrower=[True]), "t.parquet: row 1, borrower: found True"),
        (parquet(due_s=[float("nan")]), "t.parquet: row 1, due_s: found nan"),
        (parquet(due_s=["1.5"]), "t.parquet: row 1, due_s: found '1.5'"),
        (parquet(due_s=[1.5], borrower=[float("inf")]), "t.parquet: row 1, borrower: found inf"),
        (parquet(due=[1.0]), "t.parquet:1: due: found the column 'due'"),
    ],
)
def test_mistakes_of_a_parquet_trace(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "t.parquet").write_bytes(data)
    found = problems(scenario(tmp_path, TRACE.replace("csv", "parquet"), *ALONE))
    assert any(one.startswith(told) for one in found), found


def test_who_draws_is_said_by_the_trace_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("due_s,borrower\n1,5\n")
    found = problems(scenario(tmp_path, f"[{{kind: steady, rate: 1/s}}, {TRACE}]"))
    assert any("load.journey.must_refuse: found 0.03; allowed: 0 with a trace" in f for f in found)
    assert any("load.shape: found steady + trace; allowed: a trace" in f for f in found)


def test_a_run_keeps_the_trace_it_was_planned_by(tmp_path: Path) -> None:
    """Judged later from its own directory, wherever the scenario has gone."""
    (tmp_path / "t.csv").write_text(CSV)
    path = scenario(tmp_path, TRACE, *ALONE)
    loaded: Loaded = load_scenario(path, (), None)
    run = prepare(make_plan(loaded.scenario), loaded.text, loaded.files, tmp_path / "runs")
    path.unlink()
    (tmp_path / "t.csv").unlink()
    again = load_scenario(run.path / "scenario.yaml", (), None).scenario
    assert again.load.shape.traced == loaded.scenario.load.shape.traced
    assert [a.due_ns for a in arrivals(again.load.shape, random.Random(1))] == [
        3_000_000_000, 5_500_000_000, 33_000_000_000,
    ]  # fmt: skip
