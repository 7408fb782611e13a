"""Whole run directories of any size, as a lender that keeps its books leaves them behind.

Each table follows from the number of the draw alone, so that they agree with each other: draws that
are granted at once, pressed again, polled, looked up before or repaid later; refused ones; and in
the fault's time some whose bank was silent, which are voided. About 16 rows of `calls`, 4 of
`versions` and 8 of `postings` a draw, as a real drill has. Written by the evidence store.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.judge_tables import CALLS, SETUP, TABLE_OF
from harness.evidence.columnar import Rows
from harness.evidence.columns import PLACES, RUN_SCHEMA, TABLES
from harness.evidence.manifest import Manifest, ShareEvidence
from harness.evidence.query import Books
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows, write_parquet
from harness.load.shares import share_of
from harness.scenario.loader import load_scenario

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / "scenarios" / "smoke.yaml"
FAULT, EDGE = "network: latency gateway->bank.partner-a", "gateway->bank.partner-a"
T0_NS = 10**13
PER_S = 200
# Of what scenarios refuse to plan: hours of load, and borrowers.
LOAD_S_MOST, BORROWERS_MOST = 10_000, 1_000_000
WORKERS = 2
EACH = 5  # draws of a borrower, at least
LIMIT_FEN = 20_000_000
MAKING_MB = 8000
ATTEMPTS_A_DRAW = 1.6626
# Rows of calls are made of so many draws at a time.
AT_ONCE = 50_000

AGAIN_MS = 400  # after which a draw that was shed is pressed again


def draws_for(attempts: int) -> int:
    """How many draws have about so many attempts."""
    return round(attempts / ATTEMPTS_A_DRAW)


def write_run(folder: Path, draws: int) -> Path:
    """A sealed run directory of so many draws; at least some 2,000, for its phases' sake."""
    per_s = max(PER_S, -(-draws // LOAD_S_MOST))
    borrowers = min(max(draws // EACH, 1), BORROWERS_MOST)
    load_s = -(-draws // per_s)
    phases = {"warmup": load_s // 20, "baseline": load_s * 7 // 20, "fault": load_s * 7 // 20}
    phases["watch"] = load_s - sum(phases.values())
    fault_s = phases["warmup"] + phases["baseline"]
    lasts_s = phases["fault"] - 4
    scenario = load_scenario(
        SMOKE,
        (
            f'faults=[{{network: latency, edge: "{EDGE}", latency: 3s, at: fault+2s,'
            f" for: {lasts_s}s}}]",
            f"load.shape={{kind: steady, rate: {per_s}/s}}",
            f"load.borrowers={borrowers}",
            "load.journey.repay=12 %",
            *(f"phases.{name}={seconds}s" for name, seconds in phases.items()),
            'expect.fault=["guarantee >= 90 %"]',
        ),
        None,
    )
    run = RunDir.create(folder, "made", scenario.scenario.seed)
    run.write_text("scenario.yaml", scenario.text)
    second = 1_000_000_000
    facts: dict[str, Any] = {
        "count": draws, "borrowers": borrowers, "t0": T0_NS, "gap": second // per_s,
        "bite": (fault_s + 2) * second, "heal": (fault_s + 2 + lasts_s) * second,
        "baseline": phases["warmup"] * second, "fault": fault_s * second,
        "watch": (fault_s + phases["fault"]) * second, "workers": WORKERS, "limit": LIMIT_FEN,
        "repaying": max(draws - 25 * per_s, 0), "again": AGAIN_MS, "seconds": load_s,
        "opening": draws * 1_000_000, "per_s": per_s,
    }  # fmt: skip
    books = Books({}, memory_mb=MAKING_MB)
    for question in SETUP:
        books.ask(question.format(**facts))
    for table, question in TABLE_OF.items():
        found = books.table(question.format(**facts)).cast(TABLES[table])
        write_parquet(run.path / f"{PLACES[table]}.parquet", table, [found])
    write_parquet(run.path / "calls.parquet", "calls", _calls(books, draws))
    _write_records(run, facts)
    run.compact()
    return run.path


def _calls(books: Books, draws: int) -> Iterator[Any]:
    for low in range(0, draws, AT_ONCE):
        at = {"low": low, "high": min(low + AT_ONCE, draws)}
        yield books.table(CALLS, at).cast(TABLES["calls"])


def _write_records(run: RunDir, facts: dict[str, Any]) -> None:
    """run.json, faults.jsonl, environment.json and the load's manifest."""
    end_ns = T0_NS + facts["seconds"] * 1_000_000_000
    run.write_json(
        "run.json",
        {"schema": RUN_SCHEMA, "ended": "complete", "t0_ns": T0_NS, "load_end_ns": end_ns,
         "drain_end_ns": end_ns + 1_000_000_000, "drained": True},
    )  # fmt: skip
    run.write_json("environment.json", {"schema": 1, "scenario": "made"})
    bite_ns, heal_ns = T0_NS + facts["bite"], T0_NS + facts["heal"]
    lines = [
        f'{{"fault": "{FAULT}", "edge_or_replica": "{EDGE}", "healer": "nemesis", '
        f'"state": "{state}", "at_ns": {at_ns}, "before_ns": {at_ns}, "detail": ""}}\n'
        for state, at_ns in (
            ("planned", bite_ns), ("injected", bite_ns), ("observed", bite_ns),
            ("last_observed", heal_ns), ("healed", heal_ns), ("observed_healed", heal_ns),
        )
    ]  # fmt: skip
    run.write_text("faults.jsonl", "".join(lines))
    tables = {name: _read(run, name) for name in ("intents", "attempts", "generator", "clocks")}
    prints = tables["intents"].fingerprints(share_of, WORKERS)
    shares = [
        ShareEvidence(
            share, f"worker-{share + 1}", "here", facts["count"] // WORKERS,
            facts["count"] // WORKERS, prints[share], chunks=1,
            rows={name: rows.counts("worker")[f"worker-{share + 1}"]
                  for name, rows in tables.items() if name != "intents"},
            first_s=0, last_s=facts["seconds"],
        )
        for share in range(WORKERS)
    ]  # fmt: skip
    Manifest(True, tuple(shares)).write(run.path)


def _read(run: RunDir, table: str) -> Rows[Any]:
    return read_rows(run.path, table)[0]
