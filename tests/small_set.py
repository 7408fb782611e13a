"""A small set of drills, and what runs them at once."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.repeats.arms import Cell
from harness.repeats.child import Ended
from harness.stopping import Interrupted
from harness.suite_run import Asked
from tests.drills import SMOKE
from tests.fake_runs import Played

FAULT = "fault: guarantee >= 97 %"
BROKEN = {"broken": 600, "verdict": "breached"}


class Drilled:
    """Stands in for the runs of drills. broken: by label, the lines that break in it, and then six
    in ten draws of the fault phase do; stop: after so many."""

    def __init__(self, broken: Mapping[str, Sequence[str]], stop: int = 99) -> None:
        self._broken, self._stop = broken, stop
        self.ran: list[str] = []

    def __call__(self, cell: Cell, place: Path) -> Ended:
        if len(self.ran) == self._stop:
            raise Interrupted("SIGINT")
        self.ran.append(cell.arm.label)
        lines = self._broken.get(cell.arm.label, ())
        ended = Played({cell.arm.label: BROKEN if lines else {}})(cell, place)
        path = ended.run / "verdict.json"
        value = json.loads(path.read_text())
        for one in value["expectations"]:
            one["verdict"] = "held"
        for line in lines:
            phase, _, text = line.partition(": ")
            rows = value["audit"] if phase == "audit" else value["expectations"]
            (row,) = [row for row in rows if text in (row.get("rule"), row.get("expected"))]
            row["verdict"] = "breached"
        path.write_text(json.dumps(value))
        return ended


def small_set(tmp_path: Path) -> Path:
    """Three small drills, `a-one`, `b-two` and `c-three <&>`, the first alone in ci."""
    text = SMOKE.read_text().replace("rate: 30/s", "rate: 4/s").replace("rate: 55/s", "rate: 5/s")
    text = text.replace("sets: [release]", "sets: [ci, release]")
    text = text.replace("borrowers: 20000", "borrowers: 500").replace(
        'baseline: ["guarantee >= 99 %", "p95 < 400 ms"]',
        'baseline: ["guarantee >= 99 %", "p50 < 400 ms"]',
    )
    folder = tmp_path / "scenarios"
    folder.mkdir()
    for name in ("a-one", "b-two", "c-three"):
        made = text.replace("partner-bank-slow-at-repayment-peak", name, 1)
        if name != "a-one":
            made = made.replace("sets: [ci, release]", "sets: [release]")
        if name == "c-three":
            made = re.sub(
                "title: .*", "title: 'Less < and more > & <script>alert(1)</script>'", made
            )
        (folder / f"{name}.yaml").write_text(made)
    return folder


def asked(scenarios: Path, **more: Any) -> Asked:
    usual: dict[str, Any] = {
        "name": "full", "scenarios": scenarios, "arm": "on", "profile": None, "order": "listed",
        "out": scenarios.parent / "out", "resume": scenarios.parent / "made",
    }  # fmt: skip
    return Asked(**(usual | more))
