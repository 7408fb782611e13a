"""Runs of before are judged as they were: byte for byte, whatever became of the judge since.

Where a change of the judge means to change a verdict, `python -m tests.test_kept_runs` writes the
expectations anew; the evidence never changes. A new run is a drill of tiny.yaml.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.errors import ScenarioError
from harness.evidence.columns import PLACES
from harness.evidence.seal import PLACE
from harness.evidence.store import RunDir
from harness.given_runs import runs_of
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import verdict_bytes
from tests.drills import ROOT
from tests.kept_runs import DATA, EXPECTED, KEPT

EXITS = {"held": 0, "breached": 1, "cut": 3}
BYTES_MAX = 400_000


def told(run: Path) -> bytes:
    return verdict_bytes(judge(load_view(RunDir.open(run))))


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_run_has_the_verdict_that_it_had(name: str) -> None:
    expected = (DATA / name / EXPECTED).read_bytes()
    assert json.loads(expected)["exit_code"] == EXITS[name]
    assert told(DATA / name) == expected


@pytest.mark.parametrize(
    "name", [KEPT[0], *(pytest.param(name, marks=pytest.mark.slow) for name in KEPT[1:])]
)
def test_other_processes_come_to_the_same_bytes(name: str) -> None:
    """Whatever the hashes of strings are, and however many threads there are."""
    for seed, threads in (("1", "1"), ("4711", "2")):
        done = subprocess.run(
            [sys.executable, "-m", "tests.test_kept_runs", name],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout == (DATA / name / EXPECTED).read_bytes()


def _turned(path: Path) -> None:
    """The same rows in another order, in several groups."""
    table = pq.read_table(path)
    if not len(table):
        return
    pq.write_table(table.take([*range(len(table))][::-1]), path, row_group_size=17)


@pytest.mark.parametrize("name", ["held", "breached"])
@pytest.mark.parametrize("sealed", [True, False])
def test_the_order_of_rows_and_the_seal_are_all_one(
    name: str, sealed: bool, tmp_path: Path
) -> None:
    """What is read where it lies, and what is read whole, come to the same."""
    run = RunDir(Path(shutil.copytree(DATA / name, tmp_path / name)))
    for path in run.path.glob("**/*.parquet"):
        _turned(path)
    record = json.loads((run.path / "run.json").read_text())
    if sealed:
        run.compact()
    else:
        (run.path / PLACE).unlink()
        run.write_json("run.json", {**record, "schema": 1})
    assert told(run.path) == (DATA / name / EXPECTED).read_bytes()


def test_the_order_of_streams_is_all_one(tmp_path: Path) -> None:
    """Parts of a table come in the order of their names; other names change nothing."""
    run = Path(shutil.copytree(DATA / "cut", tmp_path / "cut"))
    parts = sorted(run.glob("attempts.*.arrows"))
    for number, part in enumerate(reversed(parts)):
        part.rename(run / f"attempts.part-{number}.arrows")
    assert told(run) == (DATA / "cut" / EXPECTED).read_bytes()


@pytest.mark.parametrize("table", ["collections", "clocks", "repay_intents", "tombstones"])
def test_an_older_run_without_a_table_is_still_read(table: str, tmp_path: Path) -> None:
    """Runs of before there were manifests, digests, clocks and the console's own repayments."""
    run = RunDir(Path(shutil.copytree(DATA / "held", tmp_path / "held")))
    record = json.loads((run.path / "run.json").read_text())
    run.write_json("run.json", {**record, "schema": 1})
    for gone in (PLACE, "load/manifest.json", f"{PLACES[table]}.parquet"):
        (run.path / gone).unlink(missing_ok=True)
    found = json.loads(told(run.path))
    old = table in ("collections", "clocks")
    assert found["verdict"] == ("held" if old else "inconclusive"), found["reason"]


def test_a_newer_run_owes_its_manifest_and_its_digests(tmp_path: Path) -> None:
    run = RunDir(Path(shutil.copytree(DATA / "held", tmp_path / "held")))
    (run.path / PLACE).unlink()
    assert "digests.json is missing" in json.loads(told(run.path))["reason"]
    (run.path / "load" / "manifest.json").unlink()
    run.compact()
    assert "load/manifest.json is missing" in json.loads(told(run.path))["reason"]


def test_a_run_is_compared_by_what_its_evidence_comes_to(tmp_path: Path) -> None:
    """Not by a verdict that somebody, or another judge, has written beside it."""
    run = Path(shutil.copytree(DATA / "held", tmp_path / "held"))
    verdict = run / "verdict.json"
    verdict.write_bytes((run / EXPECTED).read_bytes())
    (found,) = runs_of(run)
    assert found.counts
    assert found.value("drill.guarantee") is not None
    raw = json.loads(verdict.read_text())
    raw["guarantee"]["count"] = 0.5
    verdict.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
    with pytest.raises(ScenarioError, match="is not what its evidence comes to"):
        runs_of(run)
    # Without its digests nobody would look, and anything could be in it.
    (run / PLACE).rename(tmp_path / PLACE)
    with pytest.raises(ScenarioError, match="is not what its evidence comes to"):
        runs_of(run)
    (tmp_path / PLACE).rename(run / PLACE)
    verdict.write_bytes((run / EXPECTED).read_bytes())
    (run / "attempts.parquet").write_bytes(b"")
    with pytest.raises(ScenarioError, match="drawproof recheck"):
        runs_of(tmp_path)


def test_kept_runs_are_small_and_name_no_place() -> None:
    files = [path for path in DATA.glob("**/*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < BYTES_MAX * len(KEPT)
    for path in files:
        if path.suffix in (".json", ".jsonl", ".yaml"):
            assert not re.search(r'"/[a-z]|https?://|token', path.read_text()), path


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.buffer.write(told(DATA / sys.argv[1]))
    else:
        for kept in KEPT:
            (DATA / kept / EXPECTED).write_bytes(told(DATA / kept))
