"""How long judging takes: `python -m benchmarks.judge [--ten] [--runs N] [--resume]`.

Makes a whole, consistent run directory of a million attempts (judge_made.py: 600,000 draws, nine
million calls, five million postings), judges it in a process of its own, and says what each step
took and the most memory that was resident. `judge_s` is oracle, audit, measures and verdict;
`read_s` comes before it: digests of all files, and the tables that are always read. --ten: ten
million too, once; six million draws are more than a scenario may ask for, which counts here for
nobody but the loader, so it is told otherwise. Writes docs/results/judge.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.judge_made import draws_for, write_run
from benchmarks.results import RESULTS, keep, kept, spreads
from harness.environment import commit
from harness.evidence.store import RunDir
from harness.judge import audit, judge
from harness.judge.load_view import load_view
from harness.judge.verdict import verdict_bytes
from harness.scenario import shape_section

ROOT = Path(__file__).resolve().parent.parent
PLACE = RESULTS / "judge.json"
MILLION = 1_000_000
STEPS = (
    "exposure", "judge_intents", "attribute", "with_funding", "guarantee", "latency", "recovery",
    "amplification", "audit", "generator_health", "repayments", "incomplete", "harm", "by_group",
    "by_replica", "truth", "stranded", "breakers", "detection", "drift", "conclude",
)  # fmt: skip


def _timed(step: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    @wraps(step)
    def timed(*arguments: Any) -> Any:
        began_s = time.monotonic()
        found = step(*arguments)
        label = f"rule {arguments[0].number}" if name == "_finding" else name
        seconds[label] = round(seconds.get(label, 0.0) + time.monotonic() - began_s, 3)
        return found

    return timed


def measured(run: Path) -> dict[str, Any]:
    """One judging, in this process."""
    seconds: dict[str, float] = {}
    with ExitStack() as stack:
        stack.enter_context(of_any_size())
        for room, names in ((judge, STEPS), (audit, ("_finding",))):
            for name in names:
                step = _timed(getattr(room, name), name, seconds)
                stack.enter_context(patch.object(room, name, step))
        return {**_judged(run), "steps_s": seconds}


def of_any_size() -> AbstractContextManager[object]:
    """Meanwhile the loader takes scenarios of as many draws as the larger run has."""
    return patch.object(shape_section, "INTENTS_MAX", 10 * MILLION)


def _judged(run: Path) -> dict[str, Any]:
    began_s = time.monotonic()
    view = load_view(RunDir.open(run))
    read_s = time.monotonic()
    verdict = judge.judge(view)
    verdict_bytes(verdict)
    end_s = time.monotonic()
    status = Path("/proc/self/status").read_text()
    return {
        "attempts": len(view.attempts),
        "draws": len(view.draws),
        "calls": len(view.calls),
        "postings": len(view.postings),
        "held": int(verdict.verdict == "held"),
        "read_s": round(read_s - began_s, 3),
        "judge_s": round(end_s - read_s, 3),
        "cpu_s": round(time.process_time(), 3),
        "peak_rss_mb": int(status.partition("VmHWM:")[2].split()[0]) // 1024,
    }


def _in_a_child(run: Path) -> dict[str, Any]:
    argv = [sys.executable, "-m", "benchmarks.judge", "--run", str(run)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tens_before() -> list[dict[str, Any]]:
    """Ten million take minutes: what there was stays until it is asked for again."""
    if not PLACE.exists():
        return []
    found: list[dict[str, Any]] = json.loads(PLACE.read_text())["summary"].get("tens", [])
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ten", action="store_true")
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_args()
    if asked.run:
        print(json.dumps(measured(asked.run)))
        return 0
    runs = kept(PLACE, "runs", resume=asked.resume)
    tens = _tens_before()
    with tempfile.TemporaryDirectory(prefix="judge-") as name:
        if len(runs) < asked.runs:
            made = write_run(Path(name), draws_for(MILLION))
            while len(runs) < asked.runs:
                runs.append(_in_a_child(made))
                print(json.dumps(runs[-1]), flush=True)
        if asked.ten:
            with of_any_size():
                made = write_run(Path(name), draws_for(10 * MILLION))
            tens = [_in_a_child(made)]
            print(json.dumps(tens[-1]), flush=True)
    summary = {"commit": commit(), "million": spreads(runs)}
    if tens:
        summary["ten_million"] = spreads(tens)
    keep(PLACE, "runs", runs, {**summary, "tens": tens})
    return 0


if __name__ == "__main__":
    sys.exit(main())
