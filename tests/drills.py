"""Runs `drawproof` as a user does: in its own process, with its own folder for evidence."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / "scenarios" / "smoke.yaml"
NAIVE = ROOT / "scenarios" / "smoke-naive.yaml"

# A drill of a third of the length, for tests that need a drill and not this one's figures.
SHORT = (
    "phases.warmup=2s",
    "phases.baseline=6s",
    "phases.fault=6s",
    "phases.watch=6s",
    "faults.1.for=3s",
    "load.shape.rate=40/s",
    "load.shape.steps.0.rate=50/s",
)


@dataclass
class Ran:
    """One finished command."""

    exit: int
    out: str
    err: str
    run: Path | None

    @property
    def verdict(self) -> dict[str, Any]:
        assert self.run is not None, self.err
        found: dict[str, Any] = json.loads((self.run / "verdict.json").read_text())
        return found


class Running:
    """A drill under way."""

    def __init__(self, out: Path, *arguments: str) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", "run", *arguments, "--out", str(out)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def run(self) -> Path | None:
        found = [path for path in self.out.iterdir() if path.is_dir() and not path.is_symlink()]
        return found[0] if found else None

    def wait_for(self, what: Callable[[Path], bool], within_s: float = 60) -> Path:
        """Until `what(run directory)` holds; fails when it does not, or the drill has ended."""
        give_up_s = time.monotonic() + within_s
        pause = 0.05
        while time.monotonic() < give_up_s:
            run = self.run
            if run is not None and what(run):
                return run
            try:
                self.process.wait(timeout=pause)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the drill ended early: {self.finish().err}")
        raise AssertionError(f"not within {within_s} s")

    def at(self, seconds: float) -> Path:
        """Until `seconds` after t = 0."""

        def reached(run: Path) -> bool:
            record = run / "run.json"
            t0_ns = json.loads(record.read_text())["t0_ns"] if record.exists() else 0
            return bool(t0_ns) and time.monotonic_ns() >= t0_ns + seconds * 1e9

        return self.wait_for(reached, within_s=60 + seconds)

    def processes(self) -> dict[str, tuple[int, int]]:
        """Name to (pid, start_ticks) of what the guardian has started, newest last."""
        assert self.run is not None
        rows = (self.run / "processes.jsonl").read_text().splitlines()
        return {
            row["name"]: (row["pid"], row["start_ticks"]) for row in map(json.loads, rows) if row
        }

    def finish(self, within_s: float = 120) -> Ran:
        out, err = self.process.communicate(timeout=within_s)
        return Ran(self.process.returncode, out, err, self.run)


def drill(out: Path, *arguments: str, within_s: float = 180) -> Ran:
    """Run one drill to its end."""
    return Running(out, *arguments).finish(within_s)


def whole_up_to_the_stop(ran: Ran) -> None:
    """A drill that was ended early has all that was seen of it, and is audited like any other."""
    assert ran.run is not None
    manifest = json.loads((ran.run / "load" / "manifest.json").read_text())
    assert manifest["ended"], manifest
    assert manifest["complete"], manifest
    offered = sum(share["offered"] for share in manifest["shares"])
    assert 0 < offered < sum(share["intents"] for share in manifest["shares"])
    for row in ran.verdict["audit"]:
        assert row["examined"] > 0, row
        assert row["verdict"] == "held", row
    doubts = [text for text in ran.verdict["doubts"] if "did not complete" not in text]
    assert not [text for text in doubts if "evidence" in text or "than planned" in text], doubts


def short(*more: str) -> list[str]:
    """The arguments of a short smoke drill."""
    return [word for value in (*SHORT, *more) for word in ("--set", value)]


def command(*arguments: str, within_s: float = 60) -> Ran:
    """Any other command of drawproof."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, None)


def alive(pid: int, start_ticks: int) -> bool:
    """Is that very process still there (and not a zombie)?"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    fields = stat[stat.rindex(b")") + 2 :].split()
    return int(fields[19]) == start_ticks and fields[0] != b"Z"
