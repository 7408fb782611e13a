"""`drawproof heal` on a run whose guardian was quicker says who undid what, and when."""

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import SafetyError
from harness.guardian.journal import NAME, Journal
from harness.guardian.undo import undo_all
from harness.heal import heal


def test_what_the_guardian_undid_is_told_with_the_time(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert heal(tmp_path) == ["nothing to heal"]
    Journal(tmp_path / NAME).plan("process: freeze ledger-1", {"kind": "nothing"})
    undo_all(tmp_path, "guardian")
    with (tmp_path / "audit.log").open("a") as log:
        log.write('{"what": "undo", "fault": "cut')
    rows = (tmp_path / "audit.log").read_text().splitlines()
    utc = json.loads(rows[-2])["utc"]
    assert heal(tmp_path) == [
        "nothing to heal",
        f"process: freeze ledger-1: was undone by the guardian at {utc}",
    ]


def test_what_is_told_of_it_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would not heal may say so in the words of an action of somebody's, or of its target."""
    (tmp_path / "run.json").write_text("{}")
    for name in ("one \x1b[2J", "two \u202e"):
        Journal(tmp_path / NAME).plan(name, {"kind": "magic"})
    assert main(["heal", str(tmp_path)]) == SafetyError.exit_code
    said = capsys.readouterr().err
    assert not {"\x1b", "\u202e"} & {*said}
    assert said.count("\n") > 2
    for name in ("one \x1b[2J", "two \u202e"):
        Journal(tmp_path / NAME).plan(name, {"kind": "nothing"})
    assert main(["heal", str(tmp_path)]) == 0
    assert not {"\x1b", "\u202e"} & {*capsys.readouterr().out}


def test_what_could_not_be_undone_is_not_told_as_undone(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    Journal(tmp_path / NAME).plan("far away", {"kind": "magic"})
    undo_all(tmp_path, "guardian")
    Journal(tmp_path / NAME).done("far away")
    assert heal(tmp_path) == ["nothing to heal"]
