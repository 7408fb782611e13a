"""Traces in scenario files: who draws when and how much, and every mistake in its place."""

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.drill import prepare
from harness.load.arrivals import arrivals
from harness.plan import make_plan
from harness.scenario.loader import Loaded, load_scenario
from tests.test_shape_section import problems, scenario, shaped

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
