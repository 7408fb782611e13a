"""The run directory: streams that may be cut, Parquet, CSV, and what a bad disk says."""

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, ScenarioError
from harness.evidence import tables
from harness.evidence.chunks import TAIL, decode, encode, head
from harness.evidence.columns import HARNESS_TABLES, LENDER_TABLES, LOAD_TABLES, PLACES, TABLES
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import ROWS, Borrower
from harness.evidence.store import RunDir
from harness.judge.fault_lines import read_fault_lines
from harness.judge.load_view import load_view
from harness.repeats.repeats import make_folder
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE


def stream(path: Path, count: int, *, close: bool = True) -> None:
    writer = StreamWriter(path, "states")
    for number in range(count):
        writer.append(("ledger-1", "breaker", "bank.own", "open", number))
        if number % 10 == 9:
            writer.flush()
    if close:
        writer.close()
    else:
        writer.flush()
        writer.abandon()


def plain(run: Path, table: str) -> tuple[list[object], bool, bool]:
    rows, missing, cut = tables.read_rows(run, table)
    return list(rows), missing, cut


def test_columns_and_rows_agree() -> None:
    needed = {*LOAD_TABLES, *HARNESS_TABLES, *LENDER_TABLES}
    assert set(ROWS) == set(TABLES) == needed == set(PLACES)
    for name, schema in TABLES.items():
        fields: tuple[str, ...] = ROWS[name]._fields
        assert tuple(field.rstrip("_") for field in fields) == tuple(schema.names)


def test_a_whole_stream_and_one_without_its_end(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path, "x", 1)
    stream(run.stream_path("states", "a"), 25)
    rows, missing, cut = tables.read_rows(run.path, "states")
    assert (len(rows), missing, cut) == (25, False, False)
    stream(run.stream_path("states", "b"), 20, close=False)
    rows, missing, cut = tables.read_rows(run.path, "states")
    assert (len(rows), missing, cut) == (45, False, True)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1))
def test_a_stream_cut_anywhere_gives_its_whole_batches(share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "states.0.arrows"
        stream(path, 40)
        data = path.read_bytes()
        kept = int(share * (len(data) - 1))
        path.write_bytes(data[:kept])
        rows, _, cut = tables.read_rows(Path(folder), "states")
        assert cut
        assert len(rows) % 10 == 0
        assert [row[4] for row in rows] == list(range(len(rows)))


def test_compacting_keeps_the_rows_and_leaves_cut_streams_alone(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path, "x", 1)
    stream(run.stream_path("states"), 25)
    before = plain(run.path, "states")
    run.compact()
    assert plain(run.path, "states") == before
    assert (run.path / "states.parquet").exists()
    assert not run.stream_path("states").exists()
    other = RunDir.create(tmp_path, "x", 1)
    stream(other.stream_path("states"), 20, close=False)
    other.compact()
    assert not (other.path / "states.parquet").exists()
    assert tables.read_rows(other.path, "states")[2]


@pytest.mark.parametrize("compacted", [False, True])
def test_columns_that_an_older_run_lacks_are_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compacted: bool
) -> None:
    run = RunDir.create(tmp_path, "x", 1)
    old = TABLES["population"]
    while old.names[-1] != "delinquent":
        old = old.remove(len(old.names) - 1)
    with monkeypatch.context() as before:
        before.setitem(TABLES, "population", old)
        writer = StreamWriter(run.stream_path("population"), "population")
        writer.append((1, "new", 100, False, True))
        writer.close()
        if compacted:
            run.compact()
    rows, missing, cut = tables.read_rows(run.path, "population")
    younger = (None,) * (len(TABLES["population"]) - len(old))
    assert list(rows) == [(1, "new", 100, False, True, *younger)]
    assert (missing, cut) == (False, False)
    assert rows[0] == Borrower(1, "new", 100, barred=False, delinquent=True)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_where_a_file_is_no_run_directory_can_be_made(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    for make in (
        lambda: RunDir.create(tmp_path / place, "x", 1),
        lambda: make_folder(tmp_path / place),
    ):
        with pytest.raises(ScenarioError, match="--out"):
            make()


@pytest.mark.parametrize(("repay", "missed"), [("0", False), ("20 %", True)])
def test_planned_repayments_are_missed_only_where_there_should_be_some(
    tmp_path: Path, repay: str, missed: bool
) -> None:
    """Runs of before there were any have no such table."""
    run = RunDir.create(tmp_path, "x", 1)
    loaded = load_scenario(SMOKE, (f"load.journey.repay={repay}",), None)
    run.write_text("scenario.yaml", loaded.text)
    run.write_json("run.json", {"ended": "complete", "t0_ns": 5})
    view = load_view(run)
    assert ("repay_intents" in view.missing) is missed
    assert {"intents", "attempts", "repayments", "population"} <= set(view.missing)
    assert not view.repay_intents


def test_a_missing_table_is_said_to_be_missing(tmp_path: Path) -> None:
    assert plain(tmp_path, "states") == ([], True, False)
    (tmp_path / "states.parquet").write_bytes(b"PAR1 and no more")
    assert plain(tmp_path, "states") == ([], False, True)


@given(st.integers(1, 300), st.integers(0, 10**12))
def test_chunks_between_head_and_tail_are_a_stream(rows: int, shift_ns: int) -> None:
    made = [
        (n, "press", 1, n * 10**6, None if n % 7 == 0 else n, n, None, 201, "granted", None, None,
         None, "gateway-1", "worker-1")
        for n in range(rows)
    ]  # fmt: skip
    half = rows // 2
    data = b"".join(encode("attempts", part, shift_ns) for part in (made[:half], made[half:])
                    if part)  # fmt: skip
    found = decode("attempts", data)
    assert [row[0] for row in found] == list(range(rows))
    assert [row[3] for row in found] == [n * 10**6 - shift_ns for n in range(rows)]
    assert [row[4] for row in found] == [None if n % 7 == 0 else n - shift_ns for n in range(rows)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "attempts.x.arrows"
        path.write_bytes(head("attempts") + data)
        assert plain(Path(folder), "attempts") == (found, False, True)
        path.write_bytes(head("attempts") + data + TAIL)
        assert plain(Path(folder), "attempts") == (found, False, False)


def test_only_what_a_workers_clock_has_dated_is_shifted() -> None:
    row = ("w", 3, 9, 1, 2, 3, 0, 4, 0.5, None, None, 5, 6, 7)
    assert decode("generator", encode("generator", [row], 10**9)) == [row]


@pytest.mark.parametrize("compacted", [False, True])
def test_columns_that_are_younger_than_a_run_are_null(tmp_path: Path, compacted: bool) -> None:
    young = ("lag_ns_p99", "connect_ns_p99", "connect_ns_max")
    old = pa.schema([field for field in TABLES["generator"] if field.name not in young])
    row = {"worker": "w", "second": 1, "sent": 2, "late_ns_max": 3, "late_ns_p99": 4,
           "lag_ns_max": 5, "dropped": 0, "gc_ns": 0, "cpu_share": 0.5}  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=old)
    if compacted:
        pq.write_table(pa.Table.from_batches([batch]), tmp_path / "generator.parquet")
    else:
        with pa.ipc.new_stream(str(tmp_path / "generator.w.arrows"), old) as writer:
            writer.write_batch(batch)
    rows, missing, cut = tables.read_rows(tmp_path, "generator")
    assert (missing, cut) == (False, False)
    assert list(rows) == [("w", 1, 2, 3, 4, 5, 0, 0, 0.5, None, None, None, None, None)]


def test_csv_with_nulls_and_a_cut_last_line(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path, "x", 1)
    header = "draw_key,attempt,edge,client,server,side,start_ns,done_ns,sent,result,queue_ns\n"
    good = "k,1,a->b,a-1,b-1,client,5,,1,ok,0\n"
    file = tmp_path / "calls.csv"
    file.write_text(header + good + good[:12])
    empty = tmp_path / "empty.csv"
    empty.write_text(header)
    run.import_csv("calls", [file, empty])
    rows, missing, cut = tables.read_rows(run.path, "calls")
    assert list(rows) == [("k", 1, "a->b", "a-1", "b-1", "client", 5, None, True, "ok", 0)]
    assert (missing, cut) == (False, False)


def test_run_directories_are_private_unique_and_latest_points_to_the_last(tmp_path: Path) -> None:
    first, second = (RunDir.create(tmp_path / "runs", "x", 1) for _ in range(2))
    assert first.path != second.path
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "runs" / "latest").resolve() == second.path


def test_what_is_no_run_directory_is_the_command_lines_mistake(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"which has no run\.json"):
        RunDir.open(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_harness_error(tmp_path: Path) -> None:
    (tmp_path / "states.0.arrows").symlink_to("/dev/full")
    with pytest.raises(HarnessError, match="can't be written"):
        stream(tmp_path / "states.0.arrows", 25)


def test_the_token_is_ours_alone(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path, "x", 1)
    run.write_token("secret")
    assert os.stat(run.path / ".token").st_mode & 0o777 == 0o600


def test_faults_are_read_back_whatever_the_last_line_is(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    common = '"fault": "f", "edge_or_replica": "e", "healer": "nemesis", "detail": ""'
    line = "{{" + common + ', "state": "{}", "at_ns": {}' + "}}"
    states = ("planned", "injected", "observed", "last_observed", "last_observed", "healed")
    lines = [line.format(state, number) for number, state in enumerate(states)]
    path.write_text("\n".join([*lines, lines[0][:20]]))
    (fault,) = read_fault_lines(path)
    assert (fault.injected_ns, fault.observed_ns, fault.last_observed_ns) == (1, 2, 4)
    assert (fault.healed_ns, fault.heal_observed_ns) == (5, None)
    assert read_fault_lines(tmp_path / "none") == ()
