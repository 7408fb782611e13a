"""One whole smoke drill, as `make drill` runs it, and what can be checked on its evidence."""

import json
import shutil
from pathlib import Path

import pytest

from tests.drills import SMOKE, Ran, command, drill

# Beside `make drill`, which CI runs as well.
pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return drill(tmp_path_factory.mktemp("smoke"), str(SMOKE))


def test_the_promise_is_held(smoke: Ran) -> None:
    assert smoke.exit == 0, smoke.out + smoke.err
    assert smoke.verdict["verdict"] == "held"
    assert smoke.verdict["guarantee"]["promised"] > 1500


def test_borrowers_are_rightly_refused_too(smoke: Ran) -> None:
    guarantee = smoke.verdict["guarantee"]
    total = guarantee["promised"] + guarantee["rightly_refused"]
    assert 0.01 < guarantee["rightly_refused"] / total < 0.06
    assert guarantee["wrongly_approved"] == 0


def test_every_fault_bit_and_healed(smoke: Ran) -> None:
    faults = smoke.verdict["faults"]
    assert len(faults) == 2
    for fault in faults:
        assert fault["observed"], fault
        assert fault["exposed_calls"] > 0, fault
    slow = next(fault for fault in faults if "latency" in fault["name"])
    assert slow["heal_observed"]
    moments = [*slow["inject_call_s"], slow["observed_s"], slow["last_observed_s"],
               *slow["heal_call_s"], slow["heal_observed_s"]]  # fmt: skip
    assert None not in moments
    assert moments == sorted(moments), slow


def test_the_audit_examined_something_and_is_clean(smoke: Ran) -> None:
    for row in smoke.verdict["audit"]:
        assert row["verdict"] == "held", row
        assert row["examined"] > 0, row


def test_recheck_gives_the_same_bytes(smoke: Ran, tmp_path: Path) -> None:
    assert smoke.run is not None
    copy = tmp_path / "copy"
    shutil.copytree(smoke.run, copy)
    for name in ("verdict.json", "report.html", "summary.md", "junit.xml"):
        (copy / name).unlink()
    assert command("recheck", str(copy)).exit == 0
    for name in ("verdict.json", "report.html", "summary.md", "junit.xml"):
        assert (copy / name).read_bytes() == (smoke.run / name).read_bytes(), name


def test_evidence_without_its_ledger_is_inconclusive(smoke: Ran, tmp_path: Path) -> None:
    assert smoke.run is not None
    copy = tmp_path / "copy"
    shutil.copytree(smoke.run, copy)
    (copy / "ledger" / "versions.parquet").unlink()
    again = command("recheck", str(copy))
    assert again.exit == 3
    assert "versions" in again.out


def test_no_secret_and_no_work_is_left_in_the_run_directory(smoke: Ran) -> None:
    assert smoke.run is not None
    assert not (smoke.run / "work").exists()
    assert not (smoke.run / ".token").exists()
    assert smoke.run.stat().st_mode & 0o777 == 0o700
    for path in smoke.run.rglob("*"):
        if path.is_file():
            assert b"X-Drill-Token" not in path.read_bytes(), path


def test_printed_figures_are_there(smoke: Ran) -> None:
    printed = smoke.verdict["printed"]
    for name in ("lender_up_s", "lender_down_s", "start_to_first_load_s", "first_granted_s"):
        assert printed[name] > 0, name
    assert any(name.startswith("cpu_ms_per_draw.") for name in printed)


def test_environment_names_the_database_settings(smoke: Ran) -> None:
    assert smoke.run is not None
    facts = json.loads((smoke.run / "environment.json").read_text())["target"]
    assert facts["database"]["fsync"] == "on"
    assert facts["database"]["synchronous_commit"] == "on"
