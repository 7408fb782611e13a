"""Kills or freezes the primary, again and again, and asks what was lost and how long it took.

    python benchmarks/failover.py killed --runs 20 [--resume]
    python benchmarks/failover.py frozen --runs 10 [--resume]
    python benchmarks/failover.py forgetful --runs 20 [--resume]    the positive control

Each run is a real drill with 64 writers beside it: every one of them always has a commit under way
at the ledger (a repayment by nobody: it is refused, and the refusal is stored under its key), from
one second before the fault until the lender takes writes again and one second more. They run at the
lowest priority, so that the drill's own load stays honest. What they were told is compared with the
exported books, like the draws: an acknowledged key that is not there was lost.

`forgetful` is the same with commits that don't wait for the standby, which is 600 ms behind (the
planted defect failover-that-forgets): it must lose something, or this measures nothing.

A process kill is not a power cut: what the operating system had been handed survives it.
Results: docs/results/failover-KIND.json, with commit and machine. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from harness.environment import commit, machine
from harness.evidence.tables import read_rows

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
WRITERS = 64
BEFORE_S = 1.0
AFTER_S = 1.0
ASK_S = 3.0
LONGEST_S = 15.0
SHORT = (
    "phases.warmup=2s", "phases.baseline=8s", "phases.fault=9s", "phases.watch=6s",
    "load.shape.rate=40/s", "load.shape.steps.0.rate=60/s",
    "lender.capacity.bank_latency=20ms",
)  # fmt: skip
KINDS = {
    "killed": ("primary-killed", "faults=[{database: kill_primary, at: fault+2s}]", ""),
    "frozen": ("primary-frozen", "faults=[{database: freeze_primary, at: fault+2s, for: 5s}]", ""),
    "forgetful": (
        "primary-killed",
        "faults=[{database: kill_primary, at: fault+2s}]",
        "lender.defects=[failover-that-forgets]",
    ),
}
FAULT_AT_S = 12.0


@dataclass
class Written:
    """What the writers asked and were told; times are CLOCK_MONOTONIC, ns."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def in_flight(self, at_ns: int) -> int:
        """Commits under way at a moment."""
        return sum(began <= at_ns <= ended for began, ended in self.spans)


async def write(run: Path, bite_ns: int) -> Written:
    """All writers, until a second after the first write that began after the bite is through."""
    topology = json.loads((run / "topology.json").read_text())
    ledgers = [
        f"http://{s['host']}:{s['port']}" for s in topology["services"] if s["role"] == "ledger"
    ]
    written = Written()
    stop_ns = [time.monotonic_ns() + int(LONGEST_S * 1e9)]
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=ASK_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:

        async def writer(number: int) -> None:
            count = 0
            while time.monotonic_ns() < stop_ns[0]:
                count += 1
                key = f"writer-{number}-{count}"
                ledger = ledgers[(number + count) % len(ledgers)]
                began_ns = time.monotonic_ns()
                done = await _once(client, ledger, key)
                ended_ns = time.monotonic_ns()
                written.spans.append((began_ns, ended_ns))
                if done:
                    written.acknowledged[key] = ended_ns
                    if began_ns > bite_ns:
                        stop_ns[0] = min(stop_ns[0], ended_ns + int(AFTER_S * 1e9))

        await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return written


async def _once(client: aiohttp.ClientSession, ledger: str, key: str) -> bool:
    """Was this write acknowledged? What is not is unknown, and nobody counts on it."""
    body = {"repay_key": key, "borrower": -1, "amount_fen": 1}
    try:
        async with client.post(f"{ledger}/repay", json=body) as answer:
            return answer.status == 200 and (await answer.json()).get("state") == "refused"
    except (aiohttp.ClientError, TimeoutError):
        return False


def write_alone(run: Path, bite_ns: int) -> Written:
    """The writers in a process of their own, at the lowest priority."""
    argv = [sys.executable, __file__, "writers", "--run", str(run), "--bite-ns", str(bite_ns)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return Written(found["acknowledged"], [tuple(span) for span in found["spans"]])


def one_run(kind: str) -> dict[str, Any]:
    """One drill and its writers; what was lost, and how long it took."""
    scenario, fault, defect = KINDS[kind]
    with tempfile.TemporaryDirectory(prefix="failover-") as folder:
        sets = [*SHORT, fault, *([defect] if defect else [])]
        argv = [sys.executable, "-m", "harness.cli", "run", f"scenarios/system/{scenario}.yaml",
                *(word for one in sets for word in ("--set", one)), "--out", folder]  # fmt: skip
        drill = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            run, t0_ns = started(Path(folder), drill)
            fault_ns = t0_ns + int(FAULT_AT_S * 1e9)
            wait_until(fault_ns - int(BEFORE_S * 1e9))
            written = write_alone(run, fault_ns)
            out, _ = drill.communicate(timeout=120)
        finally:
            drill.kill()
        verdict = json.loads((run / "verdict.json").read_text())
        return digest(run, verdict, written, out, t0_ns)


def started(folder: Path, drill: "subprocess.Popen[str]") -> tuple[Path, int]:
    """The run directory and t = 0 of a drill, once it knows them."""
    while drill.poll() is None:
        for record in folder.glob("2*/run.json"):
            t0_ns = int(json.loads(record.read_text() or "{}").get("t0_ns", 0))
            if t0_ns:
                return record.parent, t0_ns
        time.sleep(0.05)
    raise SystemExit(f"the drill ended at once: {drill.communicate()[0]}")


def wait_until(at_ns: int) -> None:
    """A moment of CLOCK_MONOTONIC."""
    while (left_ns := at_ns - time.monotonic_ns()) > 0:
        time.sleep(min(left_ns / 1e9, 0.1))


def digest(
    run: Path, verdict: dict[str, Any], written: Written, out: str, t0_ns: int
) -> dict[str, Any]:
    """The figures of one run, all from its evidence and from what the writers were told."""
    fault = verdict["faults"][0]
    bite_ns = t0_ns + int((fault["observed_s"] or FAULT_AT_S) * 1e9)
    stored = {row.repay_key for row in read_rows(run, "repayments")[0]}
    granted = [
        attempt.done_ns - bite_ns
        for attempt in read_rows(run, "attempts")[0]
        if attempt.outcome == "granted" and attempt.kind != "look" and attempt.sent_ns > bite_ns
    ]
    states = [
        [round((state.at_ns - bite_ns) / 1e9, 3), state.subject, state.state]
        for state in read_rows(run, "states")[0]
        if state.kind == "database" and state.at_ns > t0_ns
    ]
    audit = {
        row["rule"]: [row["verdict"], row["examined"], row["count"]] for row in verdict["audit"]
    }
    return {
        "exit": verdict["exit_code"],
        "reason": verdict["reason"],
        "rto_s": verdict["recovery"]["rto_s"],
        "rpo_draws": verdict["recovery"]["rpo_draws"],
        "writes_acknowledged": len(written.acknowledged),
        "writes_lost": len(set(written.acknowledged) - stored),
        "commits_in_flight": written.in_flight(bite_ns),
        "first_granted_s": round(min(granted) / 1e9, 3) if granted else None,
        "remedy_s": fault["heal_observed_s"],
        "observed_s": fault["observed_s"],
        "states": states,
        "survives_failover": audit.get("survives-failover"),
        "audit_breached": sorted(name for name, row in audit.items() if row[0] == "breached"),
        "guarantee_fault": verdict["guarantee"]["by_phase"]["fault"]["count"],
        "generator": verdict["generator"]["verdict"],
    }


def summary(kind: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the claim is made from; medians with the lowest and the highest."""

    def spread(name: str) -> list[float] | None:
        values = sorted(run[name] for run in runs if run[name] is not None)
        return [statistics.median(values), values[0], values[-1]] if values else None

    return {
        "kind": kind,
        "runs": len(runs),
        "rpo_draws": sum(run["rpo_draws"] for run in runs),
        "writes_acknowledged": sum(run["writes_acknowledged"] for run in runs),
        "writes_lost": sum(run["writes_lost"] for run in runs),
        "commits_in_flight": sum(run["commits_in_flight"] for run in runs),
        "rto_s": spread("rto_s"),
        "rto_missing": sum(run["rto_s"] is None for run in runs),
        "first_granted_s": spread("first_granted_s"),
        "audit_breached": sorted({name for run in runs for name in run["audit_breached"]}),
        "examined_by_survives_failover": sum(
            (run["survives_failover"] or [0, 0])[1] for run in runs
        ),
        "a_process_kill_is_not_a_power_cut": True,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*sorted(KINDS), "writers"])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bite-ns", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind == "writers":
        os.nice(19)
        print(json.dumps(asdict(asyncio.run(write(arguments.run, arguments.bite_ns)))))
        return 0
    place = RESULTS / f"failover-{arguments.kind}.json"
    runs: list[dict[str, Any]] = []
    if arguments.resume and place.exists():
        runs = json.loads(place.read_text())["runs"]
    while len(runs) < arguments.runs:
        runs.append({"commit": commit(), **one_run(arguments.kind)})
        RESULTS.mkdir(parents=True, exist_ok=True)
        found = {"machine": machine(), "summary": summary(arguments.kind, runs), "runs": runs}
        place.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        last = {key: runs[-1][key] for key in (
            "exit", "rto_s", "first_granted_s", "rpo_draws", "writes_lost", "writes_acknowledged",
            "commits_in_flight", "audit_breached", "generator")}  # fmt: skip
        print(f"{len(runs)}: {json.dumps(last)}", flush=True)
    figures = summary(arguments.kind, runs)
    print(json.dumps({"benchmark": "failover", "figures": figures, "peers": {}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
