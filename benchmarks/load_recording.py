"""What recording costs: CPU beside the load, bytes an attempt, and reading a million of them."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load_million import STEPS
from benchmarks.load_run import SCENARIO, Load, attempts_writer, compacted_bytes, run_load
from benchmarks.load_stub_up import stub_up
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import Manifest, ShareEvidence
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Attempt, Intent
from harness.evidence.store import RunDir
from harness.load.shares import of_share, share_of
from harness.seeds import draw_key

ROOT = Path(__file__).resolve().parent.parent
RATE_PER_S, SECONDS, SHORT_S = 1000, 20.0, 5.0
MILLION, SHORT_MANY = 1_000_000, 20_000
SEED = 20260410
WORKERS = 4
PER_S = 2000
T0_NS = 10**13
# Shares of the draws: refused at once; failed for certain and pressed again; timed out and polled;
# looked at before.
REFUSED, FAILED, TIMED_OUT, LOOKED = 0.03, 0.02, 0.01, 0.22


def recording(*, short: bool) -> dict[str, Any]:
    """CPU and bytes of a real run, then a million attempts written, made small and read."""
    with tempfile.TemporaryDirectory(prefix="load-") as name, stub_up(Path(name), "fast") as stub:
        load = Load(RATE_PER_S, SHORT_S if short else SECONDS, timed=True)
        loaded = run_load(Path(name), stub.url, load)
        stub.stop()
        timed = json.loads((loaded.run / "recording.worker-1.json").read_text())
        real = compacted_bytes(loaded.run) / len(loaded.attempts)
    return {
        "ours": {
            "recording_cpu_share": round(timed["recording_s"] / timed["whole_s"], 4),
            "recording_cpu_us_per_attempt": round(
                timed["recording_s"] * 1e6 / len(loaded.attempts), 2
            ),
            "attempts": len(loaded.attempts), "complete": int(loaded.complete),
            "bytes_per_attempt": round(real, 1),
            "many": _many(SHORT_MANY if short else MILLION),
        },
        "peers": {},
    }  # fmt: skip


def million(*, short: bool) -> dict[str, Any]:
    """The million attempts alone."""
    return {"ours": _many(SHORT_MANY if short else MILLION), "peers": {}}


def _many(most: int) -> dict[str, Any]:
    """So many made-up attempts written, made small, read and summed up."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        run, count, wrote_s = write_many(Path(name), most)
        done = {step: _step(run, step) for step in STEPS}
    sums = {step: took.pop("sums") for step, took in done.items()}
    return {
        "attempts": count,
        "bytes_per_attempt": round(sums["compact"]["attempts_bytes"] / count, 1),
        "write_us_per_attempt": round(wrote_s * 1e6 / count, 2),
        "took": done, "sums": sums["judge"],
        "sums_agree": int(sums["judge"] == sums["plain"]),
    }  # fmt: skip


def _step(run: Path, step: str) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own."""
    argv = [sys.executable, "-m", "benchmarks.load_million", str(run), step]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_many(folder: Path, count: int) -> tuple[Path, int, float]:
    """A run directory with at least `count` attempts, by the real writers, and the manifest that a
    load closes with; how many they are, and the seconds that their recording took."""
    run = RunDir.create(folder, "many", SEED)
    run.write_text("scenario.yaml", SCENARIO.read_text())
    run.write_json("run.json", {"schema": 1, "ended": "complete", "t0_ns": T0_NS})
    parts = [attempts_writer(run, f"worker-{n + 1}") for n in range(WORKERS)]
    wrote_s, intents = 0.0, []
    rows = [0] * WORKERS
    for intent, attempts in made_up(random.Random(SEED)):  # noqa: S311  a model's times
        share = share_of(intent.intent, WORKERS)
        began_s = time.monotonic()
        for attempt in attempts:
            parts[share].append(attempt)
        wrote_s += time.monotonic() - began_s
        intents.append(intent)
        rows[share] += len(attempts)
        if sum(rows) >= count:
            break
    for writer in parts:
        writer.close()
    write_rows(run.stream_path("intents"), "intents", intents)
    Manifest(True, tuple(_evidence(share, intents, rows[share]) for share in range(WORKERS))).write(
        run.path
    )
    return run.path, sum(rows), wrote_s


def _evidence(share: int, intents: Sequence[Intent], rows: int) -> ShareEvidence:
    mine = of_share(intents, share, WORKERS)
    return ShareEvidence(
        share, f"worker-{share + 1}", "this machine", len(mine), len(mine), fingerprint(mine),
        chunks=1, rows={"attempts": rows}, first_s=0, last_s=0,
    )  # fmt: skip


def made_up(dice: random.Random) -> Iterator[tuple[Intent, list[Attempt]]]:
    """Draws without end, as a lender in some trouble answers them, with all their attempts."""
    due_s, number = 0.0, 0
    while True:
        due_s += dice.expovariate(PER_S)
        due_ns, worker = int(due_s * 1e9), f"worker-{number % WORKERS + 1}"
        yield (
            Intent(
                number, draw_key(SEED, number), dice.randrange(1, 100_000), "regular",
                dice.randrange(100, 5000) * 100, "consumption", due_ns, "baseline",
                straddling=False,
            ),
            list(_attempts(dice, number, T0_NS + due_ns, worker)),
        )  # fmt: skip
        number += 1


def _attempts(dice: random.Random, number: int, due_ns: int, worker: str) -> Iterator[Attempt]:
    def one(kind: str, n: int, at_ns: int, status: int, *came: str | None) -> Attempt:
        sent_ns = at_ns + int(dice.expovariate(1 / 300e3))
        took_ns = int(dice.lognormvariate(2.5, 0.7) * 1e6) if status else 1_500_000_000
        done_ns = sent_ns + took_ns
        first_ns = done_ns - int(dice.uniform(20e3, 90e3)) if status else None
        replica = f"gateway-{(number + n) % 2 + 1}"
        outcome, cause, hop, reason = came
        return Attempt(
            number, kind, n, at_ns, sent_ns, first_ns, done_ns, status, str(outcome), cause, hop,
            reason, replica, worker,
        )  # fmt: skip

    granted = ("granted", None, None, None)
    if dice.random() < LOOKED:
        yield one("look", 1, due_ns - 600_000_000, 200, *granted)
    luck = dice.random()
    if luck < REFUSED:
        yield one("press", 1, due_ns, 403, "refused", "risk", "risk", "delinquent")
    elif luck < REFUSED + FAILED:
        yield one("press", 1, due_ns, 503, "failed", "system", "gateway", "shed")
        yield one("press", 2, due_ns + int(dice.uniform(3e8, 1e9)), 201, *granted)
    elif luck < REFUSED + FAILED + TIMED_OUT:
        yield one("press", 1, due_ns, 0, "unknown", "system", None, "timeout")
        yield one("poll", 1, due_ns + 2_000_000_000, 200, *granted)
    else:
        yield one("press", 1, due_ns, 201, *granted)
