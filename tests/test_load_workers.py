"""Master and workers as processes on this machine: a dead one, a wrong clock, a full house."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.clock import NS_PER_MS
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import read_manifest
from harness.load.shares import of_share
from tests.drills import ROOT, SMOKE
from tests.loads import Load, even_intents


@pytest.mark.slow
def test_a_killed_worker_is_declared_and_the_other_stops(tmp_path: Path) -> None:
    with Load(tmp_path / "run", even_intents(3000, 100), 30.0) as load:
        url = load.start_gateway()
        load.start_master()
        load.start_worker(1)
        load.start_worker(2)
        load.fire(url)
        load.at(3.0)
        load.kill("worker-2")
        load.order(gone={"worker-2": "ended (status -9)"})
        manifest = load.end(within_s=10)
        assert not manifest.complete
        assert (
            load.said()[-2]["lost"] == "worker-2 on this machine (share 2 of 2) ended (status -9)"
        )
        assert load.said()[-1]["failure"] is None
        other, lost = manifest.shares
        assert (other.missing, other.sha256) == ("", fingerprint(of_share(load.intents, 0, 2)))
        assert other.offered is not None
        assert 0 < other.offered < other.intents
        seen = Counter(attempt.worker for attempt in load.attempts())
        assert seen["worker-1"] == other.offered == other.rows["attempts"]
        assert 0 < seen["worker-2"] == lost.rows["attempts"] < lost.intents
        assert list(lost.missing_s) == [(lost.last_s or 0) + 1, 29]
        assert lost.last_s in (1, 2)


@pytest.mark.slow
def test_a_wrong_clock_is_measured_declared_and_taken_off(tmp_path: Path) -> None:
    with Load(tmp_path / "run", even_intents(200, 100), 2.0) as load:
        url = load.start_gateway()
        load.start_master()
        load.start_worker(1)
        load.start_worker(2, environment={"DRAWPROOF_CLOCK_SKEW_MS": "250"})
        load.fire(url)
        manifest = load.end(within_s=20)
        assert manifest.complete, manifest.problems()
        rows = load.clocks()
        wrong = [row for row in rows if row.worker == "worker-2"]
        assert len(wrong) >= 2
        for row in wrong:
            assert abs(row.offset_ns - 250 * NS_PER_MS) <= row.uncertainty_ns
            assert row.uncertainty_ns < 20 * NS_PER_MS
        assert {row.applied_ns for row in rows if row.worker == "worker-1"} == {0}
        for attempt in load.attempts():
            due_ns = load.t0_ns + load.intents[attempt.intent].due_ns
            assert attempt.scheduled_ns == due_ns
            assert attempt.sent_ns is not None
            assert -20 * NS_PER_MS < attempt.sent_ns - due_ns < 150 * NS_PER_MS


@pytest.mark.slow
def test_beyond_the_bound_in_flight_a_draw_is_dropped_and_says_so(tmp_path: Path) -> None:
    with Load(
        tmp_path / "run", even_intents(100, 100, kind=9), 1.0, workers=1, in_flight=20
    ) as load:
        url = load.start_gateway()
        load.start_master()
        load.start_worker(1)
        load.fire(url)
        manifest = load.end(within_s=20)
        assert manifest.complete, manifest.problems()
        presses = [attempt for attempt in load.attempts() if attempt.kind == "press"]
        assert sorted(attempt.intent for attempt in presses) == list(range(100))
        dropped = [attempt for attempt in presses if attempt.outcome == "dropped"]
        assert dropped
        assert {(a.sent_ns, a.done_ns, a.hop, a.reason) for a in dropped} == {
            (None, None, "machine", "in-flight-bound")
        }
        assert sum(second.dropped for second in load.seconds()) == len(dropped)
        progress = [line["progress"] for line in load.said() if "progress" in line][-1]
        assert progress["dropped"] == len(dropped)


@pytest.mark.slow
def test_draws_due_at_one_moment_all_leave_before_the_first_is_answered(tmp_path: Path) -> None:
    """More than there are greenlets at first; nobody answers before his attempt has timed out."""
    with Load(tmp_path / "run", even_intents(400, 1e6, kind=9), 1.0, workers=1) as load:
        url = load.start_gateway()
        load.start_master()
        load.start_worker(1)
        load.fire(url)
        assert load.end(within_s=20).complete
        first = [a for a in load.attempts() if (a.kind, a.n) == ("press", 1)]
        assert len(first) == 400
        assert max(a.sent_ns or 0 for a in first) < min(a.done_ns or 0 for a in first)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit to fill a disk with")
def test_a_master_that_cannot_write_fails_aloud(tmp_path: Path) -> None:
    """As on a full disk: no file of the master's may grow beyond 8 kB."""
    with Load(tmp_path / "run", even_intents(2000, 200), 10.0, workers=1) as load:
        url = load.start_gateway((), "0")
        load.start_master(("prlimit", "--fsize=8000"))
        load.start_worker(1)
        load.fire(url)
        manifest = load.end(within_s=20)
        assert load.made["master"].returncode == 1
        assert "attempts.share-1.arrows can't be written" in load.said()[-1]["failure"]
        assert not manifest.complete
        assert manifest.problems()


@pytest.mark.slow
def test_plain_locust_runs_a_scenario_and_says_where_its_evidence_is(tmp_path: Path) -> None:
    """In two processes; alone, and against a lender: tests/test_lender_up.py."""
    scenario = tmp_path / "plain.yaml"
    text = SMOKE.read_text()
    for old, new in (
        ("warmup: 3s", "warmup: 1s"),
        ("baseline: 12s", "baseline: 1s"),
        ("fault: 14s", "fault: 1s"),
        ("watch: 12s", "watch: 1s"),
    ):
        assert old in text
        text = text.replace(old, new)
    head, _, tail = text.partition("faults:")
    scenario.write_text(head + "faults: []\n" + tail[tail.index("expect:") :])
    with Load(tmp_path / "own", even_intents(1, 1), 1.0) as load:
        url = load.start_gateway((), "0")
        ran = subprocess.run(
            [sys.executable, "-m", "locust", "-f", "harness/load/locustfile.py", "--headless",
             "--scenario", str(scenario), "--host", url, "--runs", str(tmp_path / "runs"),
             "--only-summary", "--processes", "2"],
            cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = (tmp_path / "runs" / "latest").resolve()
    assert f"the evidence is complete; {run}" in ran.stdout
    manifest = read_manifest(run)
    assert manifest is not None
    assert manifest.complete
    assert len(manifest.shares) == 2
    assert json.loads((run / "run.json").read_text())["ended"] == "complete"
    assert (run / "attempts.parquet").exists()


def test_plain_locust_says_what_it_lacks(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "harness/load/locustfile.py", "--headless"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "--scenario: found nothing" in ran.stderr
    assert "--gateways: found nothing" in ran.stderr
