"""`drawproof heal` on a run whose guardian was quicker says who undid what, and when."""

import json
from pathlib import Path

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


def test_what_could_not_be_undone_is_not_told_as_undone(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    Journal(tmp_path / NAME).plan("far away", {"kind": "magic"})
    undo_all(tmp_path, "guardian")
    Journal(tmp_path / NAME).done("far away")
    assert heal(tmp_path) == ["nothing to heal"]
