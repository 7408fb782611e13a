"""Chaos Toolkit's own command, unmodified: against the lender, and driving a drill of ours."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.chaos import actions, probes
from harness.errors import HarnessError
from tests.drills import ROOT, SHORT, SMOKE
from tests.lender_process import lender, until

CHAOS = Path(sys.executable).with_name("chaos")
EXPERIMENTS = ROOT / "scenarios" / "toolkit"
AFTER = "--hypothesis-strategy=after-method-only"
GOOD = {"by_phase": {"fault": {"count": 0.99}}}
with_chaos = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not CHAOS.exists(), reason="chaostoolkit is not installed"),
]


def chaos(folder: Path, experiment: str, *options: str, **told: str) -> dict[str, Any]:
    """`chaos run`; its journal."""
    journal = folder / "journal.json"
    done = subprocess.run(
        [str(CHAOS), "--no-version-check", "--log-file", str(folder / "chaos.log"), "run",
         *options, "--journal-path", str(journal), str(EXPERIMENTS / experiment)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **told}, timeout=220,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert journal.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(journal.read_text())
    return found


def by_name(journal: dict[str, Any], part: str) -> dict[str, dict[str, Any]]:
    return {run["activity"]["name"]: run for run in journal[part]}


def stopped(pid: int) -> bool:
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


class TestTheCommand:
    pytestmark = with_chaos

    def test_a_stock_experiment_runs_against_the_lender(self, tmp_path: Path) -> None:
        with lender(tmp_path / "lender") as made:
            gateway, other = made.service("gateway-1"), made.service("gateway-2")
            journal = chaos(
                tmp_path, "lender.json", GATEWAY=f"http://{gateway.host}:{gateway.port}",
                FROZEN_PID=str(other.pid), DRAW_KEY="of-chaos-toolkit",
            )  # fmt: skip
            assert journal["status"] == "completed", journal
            assert journal["steady_states"]["before"]["steady_state_met"]
            assert journal["steady_states"]["after"]["steady_state_met"]
            assert by_name(journal, "run")["draw"]["output"]["status"] == 201
            assert by_name(journal, "rollbacks")["wake-the-gateway"]["status"] == "succeeded"
            until(lambda: not stopped(other.pid))
            assert made.ask("GET", "/v1/draws/of-chaos-toolkit")[0] == 200

    def test_it_drives_a_drill_and_judges_it_by_our_probes(self, tmp_path: Path) -> None:
        journal = chaos(tmp_path, "drill.json", AFTER, DRILL_OUT=str(tmp_path / "runs"))
        assert journal["status"] == "completed", journal
        assert by_name(journal, "run")["drill"]["output"]["exit_code"] == 0
        after = by_name(journal["steady_states"]["after"], "probes")
        assert after["exit-code"]["output"] == 0
        assert after["guarantee"]["output"] > 0.97
        assert after["audit"]["output"] is True
        verdict = json.loads((tmp_path / "runs" / "latest" / "verdict.json").read_text())
        assert verdict["guarantee"]["by_phase"]["fault"]["count"] == after["guarantee"]["output"]

    def test_a_drill_that_can_not_run_is_not_green_by_an_earlier_one(self, tmp_path: Path) -> None:
        runs = tmp_path / "runs"
        (runs / "before").mkdir(parents=True)
        written(runs / "before", exit_code=0)
        (runs / "latest").symlink_to("before")
        none = str(tmp_path / "none.yaml")
        journal = chaos(tmp_path, "drill.json", AFTER, DRILL_OUT=str(runs), DRILL_SCENARIO=none)
        assert journal["status"] == "failed"
        assert not journal["steady_states"]["after"]["steady_state_met"]

    def test_a_drill_that_aborted_is_not_green(self, tmp_path: Path) -> None:
        """The probes alone, on a verdict that is good but for its exit code."""
        made = json.loads((EXPERIMENTS / "drill.json").read_text())
        made["method"] = [
            {"type": "action", "name": "nothing",
             "provider": {"type": "python", "module": "os", "func": "getpid"}}
        ]  # fmt: skip
        made["rollbacks"] = []
        (tmp_path / "made.json").write_text(json.dumps(made))
        for code in (0, 4):
            (tmp_path / "latest").mkdir(exist_ok=True)
            written(tmp_path / "latest", exit_code=code, guarantee=GOOD)
            journal = chaos(tmp_path, str(tmp_path / "made.json"), AFTER, DRILL_OUT=str(tmp_path))
            assert journal["steady_states"]["after"]["steady_state_met"] == (code == 0)
            assert journal["deviated"] == (code != 0), "chaos ends with 1 then"


def written(folder: Path, **changes: Any) -> str:
    found: dict[str, Any] = {
        "verdict": "held",
        "guarantee": {"count": 0.99, "money": 0.98, "access": 0.97,
                      "by_phase": {"fault": {"count": 0.95, "money": 0.94}}},
        "recovery": {"recover_s": 1.5},
        "audit": [{"verdict": "held"}, {"verdict": "held"}],
    } | changes  # fmt: skip
    (folder / "verdict.json").write_text(json.dumps(found))
    return str(folder)


def test_probes_say_what_the_verdict_says(tmp_path: Path) -> None:
    run = written(tmp_path)
    assert probes.verdict(run) == "held"
    assert probes.exit_code(written(tmp_path, exit_code=4)) == 4
    written(tmp_path)
    assert probes.guarantee(run) == 0.99
    assert probes.guarantee(run, by="money") == 0.98
    assert probes.guarantee(run, phase="fault") == 0.95
    assert probes.guarantee(run, phase="watch") is None
    assert probes.access(run) == 0.97
    assert probes.recover_s(run) == 1.5
    assert probes.audit_breaches(run) == 0
    assert probes.audit_is_clean(run)


@pytest.mark.parametrize(
    ("audit", "breaches"),
    [
        ([], None),
        ([{"verdict": "inconclusive"}, {"verdict": "held"}], None),
        ([{"verdict": "inconclusive"}, {"verdict": "breached"}], 1),
    ],
)
def test_an_audit_that_examined_nothing_is_not_clean(
    tmp_path: Path, audit: list[dict[str, str]], breaches: int | None
) -> None:
    run = written(tmp_path, audit=audit)
    assert probes.audit_breaches(run) == breaches
    assert not probes.audit_is_clean(run)


def test_no_verdict_is_an_error_and_no_number(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no verdict"):
        probes.guarantee(str(tmp_path))
    with pytest.raises(HarnessError, match="drawproof run ended with 2"):
        actions.run_drill(str(tmp_path / "none.yaml"), out=str(tmp_path))
    with pytest.raises(HarnessError, match="drawproof stop ended with 2"):
        actions.stop_drill(str(tmp_path))
    (tmp_path / "run.json").write_text("{}")
    assert "nothing to heal" in actions.heal_run(str(tmp_path))


@pytest.mark.drill
@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_drill_that_takes_too_long_is_ended_in_order(tmp_path: Path) -> None:
    changes = dict(one.split("=", 1) for one in SHORT)
    with pytest.raises(HarnessError, match="took longer than 8 s"):
        actions.run_drill(str(SMOKE), str(tmp_path), changes, timeout_s=8)
    run = (tmp_path / "latest").resolve()
    assert "interrupted" in json.loads((run / "run.json").read_text())["ended"]
    assert not (run / "work").exists()
    shutil.rmtree(run)
