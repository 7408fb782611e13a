"""Which files of a run are sealed: all that a verdict rests on, what its scenario reads too."""

import json
from pathlib import Path

import pytest

from harness.evidence.seal import PLACE, check, seal

RECORD = {"schema": 4, "ended": "complete"}


@pytest.mark.parametrize("name", ["rules-1.yml", "trace-1.csv", "attempts.parquet"])
def test_what_a_verdict_rests_on_can_not_change_in_silence(name: str, tmp_path: Path) -> None:
    """Of another law another verdict would be made."""
    (tmp_path / name).write_text("as it was")
    seal(tmp_path)
    assert check(tmp_path, RECORD).problems == ()
    (tmp_path / name).write_text("a milder one")
    assert check(tmp_path, RECORD).spoilt == {name}
    (tmp_path / name).unlink()
    assert check(tmp_path, RECORD).problems == (f"{name} is gone",)


def test_a_law_that_was_brought_later_is_none(tmp_path: Path) -> None:
    seal(tmp_path)
    (tmp_path / "rules-1.yml").write_text("new")
    told = check(tmp_path, RECORD).problems
    assert told == ("rules-1.yml was not there when the run ended",)


def test_older_digests_did_not_have_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules-1.yml").write_text("as it was")
    (tmp_path / PLACE).write_text(
        json.dumps({"schema": 1, "files": {}}, indent=1, sort_keys=True) + "\n"
    )
    assert check(tmp_path, RECORD).problems == ()
