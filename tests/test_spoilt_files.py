"""Files of a run that are no longer what they were: said, never believed, and never a traceback."""

import json
import random
import shutil
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.evidence.columns import LENDER_TABLES, LOAD_TABLES, PLACES
from harness.evidence.seal import PLACE, Seal, check
from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from tests.drills import command
from tests.kept_runs import DATA

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

SEED = 20261125
HELD = DATA / "held"


def copied(place: Path, name: str = "held") -> Path:
    return Path(shutil.copytree(DATA / name, place / name))


def flip(path: Path, dice: random.Random) -> None:
    """One byte becomes another."""
    data = bytearray(path.read_bytes())
    place = dice.randrange(len(data))
    data[place] ^= dice.randrange(1, 256)
    path.write_bytes(data)


def rechecked(run: Path) -> tuple[int, str]:
    """As `recheck` does it, in this process; a sentence always."""
    try:
        verdict = judge(load_view(RunDir.open(run)))
    except HarnessError as exc:
        return exc.exit_code, str(exc)
    return verdict.exit_code, verdict.reason


FILES = sorted(json.loads((HELD / PLACE).read_text())["files"])
# A table that is read where it lies, one that is small, what is no table, and the digests.
SOME = (
    "attempts.parquet",
    "policies.parquet",
    "faults.jsonl",
    "load/manifest.json",
    "run.json",
    PLACE,
)


@pytest.mark.parametrize("name", FILES)
def test_each_changed_or_missing_file_is_named(name: str, tmp_path: Path) -> None:
    run = copied(tmp_path)
    record = json.loads((run / "run.json").read_text())
    assert check(run, record) == Seal(True)
    flip(run / name, random.Random(f"{SEED}/{name}"))
    assert check(run, record).spoilt == {name}
    (run / name).unlink()
    assert check(run, record).problems == (f"{name} is gone",)


def told_of_flips(run: Path, name: str, times: int) -> None:
    dice = random.Random(f"{SEED}/{name}")
    whole = (run / name).read_bytes()
    for _ in range(times):
        flip(run / name, dice)
        code, text = rechecked(run)
        assert code in (3, 5), text
        assert name in text or name == PLACE or code == 5, text
        (run / name).write_bytes(whole)


@pytest.mark.parametrize(
    "name", [*SOME[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in SOME[2:])]
)
def test_a_flipped_byte_is_told(name: str, tmp_path: Path) -> None:
    told_of_flips(copied(tmp_path), name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FILES, PLACE])
def test_many_flipped_bytes_are_told(name: str, tmp_path: Path) -> None:
    told_of_flips(copied(tmp_path), name, 12)


@pytest.mark.parametrize("name", SOME)
def test_a_file_that_is_gone_is_told(name: str, tmp_path: Path) -> None:
    run = copied(tmp_path)
    (run / name).unlink()
    if name == "run.json":
        assert command("recheck", str(run)).exit == 2  # it is no run directory any more
        return
    code, text = rechecked(run)
    assert code in (3, 5)
    assert name in text


def test_a_file_that_was_not_there_is_told(tmp_path: Path) -> None:
    run = copied(tmp_path)
    shutil.copy(run / "calls.parquet", run / "calls.extra.arrows")
    code, text = rechecked(run)
    assert (code, "calls.extra.arrows was not there" in text) == (3, True)


def test_the_command_says_a_sentence(tmp_path: Path) -> None:
    run = copied(tmp_path)
    flip(run / "attempts.parquet", random.Random(SEED))
    done = command("recheck", str(run))
    assert done.exit == 3
    assert "attempts.parquet is not what it was when the run ended" in done.out
    (run / "run.json").write_text('{"schema": 2, "ended": "complete", "t0_ns": 1}')
    done = command("recheck", str(run))
    assert done.exit == 5
    assert "run.json changed since the run ended" in done.err
    assert "Traceback" not in done.out + done.err


def looked_through(run: Path, table: str, times: int) -> None:
    dice = random.Random(f"{SEED}/{table}")
    for part in sorted((run / PLACES[table]).parent.glob(f"{table}.*.arrows")):
        whole = part.read_bytes()
        for _ in range(times):
            flip(part, dice)
            code, text = rechecked(run)
            assert code in (1, 3, 5), text
            assert text
        part.write_bytes(whole)


@pytest.mark.parametrize("table", ["attempts", "generator", "population"])
def test_unsealed_evidence_with_flipped_bytes_never_brings_down_the_judge(
    table: str, tmp_path: Path
) -> None:
    """A run that was cut short has streams that nobody has sealed: they are looked through."""
    looked_through(copied(tmp_path, "cut"), table, 2)


@pytest.mark.slow
@pytest.mark.parametrize("table", [*LOAD_TABLES, *LENDER_TABLES])
def test_much_unsealed_evidence_with_flipped_bytes(table: str, tmp_path: Path) -> None:
    looked_through(copied(tmp_path, "cut"), table, 12)
