"""Tables of evidence that a drill knows before anything runs, and what the lender's rule book adds:
dated policies and rules, what borrowers were told, and when a tier could not be used.
"""

import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.evidence.recorder import write_rows
from harness.evidence.rows import Borrower, Policy, Published, Tier
from harness.evidence.store import RunDir
from harness.scenario.law import LawSpec, barred_tiers

RULEBOOK = "rulebook.json"
# Entries by which a tier can't be used.
SHUT = ("tier", "window", "gone")
COLLECTIONS = "collections.csv"
# A table is several streams: what was planned, and what the rule book has added.
ADDED = "1"
NO_LAW = LawSpec()
LIMITS = "2"


def write_planned(
    run: RunDir,
    population: Iterable[Borrower],
    tiers: Iterable[Tier],
    barred_purposes: Iterable[str],
) -> None:
    """Population, tiers, policies, and what was published, all of it as of now."""
    at_ns = time.monotonic_ns()
    policies = [
        Policy("risk", 1, None, at_ns, at_ns, None),
        *(Policy("compliance", 1, purpose, at_ns, at_ns, None) for purpose in barred_purposes),
    ]
    write_rows(run.stream_path("population"), "population", population)
    write_rows(run.stream_path("tiers"), "tiers", [one._replace(from_ns=at_ns) for one in tiers])
    write_rows(run.stream_path("policies"), "policies", policies)
    write_rows(run.stream_path("published"), "published", [Published(None, "policy", 1, at_ns)])


def write_added(run: RunDir, records: Path, tiers: Sequence[Tier], law: LawSpec = NO_LAW) -> None:
    """What the lender's own records in `records` say of its rule book and of what it collected;
    nothing where there is none."""
    if (records / COLLECTIONS).exists():
        run.import_csv("collections", [records / COLLECTIONS])
    try:
        entries: list[dict[str, Any]] = json.loads((records / RULEBOOK).read_text())
    except FileNotFoundError:
        return
    adopted = adoptions(sorted(records.glob("states.*.csv")))
    write_rows(run.stream_path("policies", ADDED), "policies", policy_rows(entries, adopted))
    write_rows(run.stream_path("published", ADDED), "published", published_rows(entries))
    write_rows(run.stream_path("tiers", ADDED), "tiers", tier_rows(entries, tiers, law))


def write_limits(run: RunDir, limits_csv: Path, tiers: Iterable[Tier], since_ns: int) -> None:
    """When the ledger changed what may be drawn from a tier in an hour and a day, by its books.

    since_ns: t = 0. What it says of before is left out: until then the plan's own rows hold, which
    are told from the lender's by being older.
    """
    known = {one.tier: one for one in tiers}

    def fen(text: str) -> int | None:
        return int(text) if text else None

    with limits_csv.open(newline="") as rows:
        changed = [
            known[row["tier"]]._replace(
                from_ns=int(row["from_ns"]),
                hour_limit_fen=fen(row["hour_limit_fen"]),
                day_limit_fen=fen(row["day_limit_fen"]),
            )
            for row in csv.DictReader(rows)
            if row["tier"] in known and int(row["from_ns"]) >= since_ns
        ]
    write_rows(run.stream_path("tiers", LIMITS), "tiers", changed)


def adoptions(files: Iterable[Path]) -> Mapping[int, list[tuple[str, int]]]:
    """By an entry's number: which replica obeyed it first when."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for file in files:
        with file.open(newline="") as rows:
            for row in csv.DictReader(rows):
                # A last line that was cut lacks its end.
                if row["kind"] == "rule" and row["state"] == "adopted" and row["at_ns"]:
                    number = int(str(row["subject"]).rpartition(" ")[2])
                    found[number].append((str(row["replica"]), int(row["at_ns"])))
    return found


def policy_rows(
    entries: Iterable[Mapping[str, Any]], adopted: Mapping[int, Sequence[tuple[str, int]]]
) -> Iterator[Policy]:
    """The policy or rule itself, then a row for each replica that obeyed it."""
    for entry in entries:
        if entry["kind"] not in ("risk", "compliance", "shortage"):
            continue
        itself = Policy(
            kind=entry["kind"],
            policy=entry["number"],
            forbids=entry["forbids"],
            in_force_ns=entry["in_force_ns"],
            # A shortage is obeyed by nobody: it is what borrowers were told.
            adopted_ns=entry["adopted_ns"] if entry["kind"] == "shortage" else None,
            replica=None,
            above_fen=entry["above_fen"],
            score_below=entry["score_below"],
            ended_ns=entry["ended_ns"],
            stress_bp=entry["stress_bp"],
            keep_bp=entry["keep_bp"],
            rule=entry.get("rule"),
        )
        yield itself
        for replica, at_ns in adopted.get(entry["number"], ()):
            yield itself._replace(replica=replica, adopted_ns=at_ns)


def published_rows(entries: Iterable[Mapping[str, Any]]) -> Iterator[Published]:
    """What borrowers were told of: all of them, at one moment."""
    for entry in entries:
        if entry["announced_ns"] is not None:
            yield Published(None, "notice", entry["number"], entry["announced_ns"])


def tier_rows(
    entries: Iterable[Mapping[str, Any]], tiers: Sequence[Tier], law: LawSpec = NO_LAW
) -> Iterator[Tier]:
    """From when a tier could not be used, or not lawfully, and from when it could again, each
    moment once. An entry that ended before its date has never shut anything."""
    known = {one.tier: one for one in tiers}
    own_bp = {one.tier: one.own_bp for one in tiers}
    barred = {rule.name: barred_tiers(rule, own_bp) for rule in law.rules}
    spans = set()
    for entry in entries:
        if entry["kind"] in SHUT and entry["tier"] in known:
            spans.add((entry["tier"], entry["adopted_ns"], entry["ended_ns"]))
        for tier in barred.get(str(entry.get("rule")), ()):
            # The law does not wait for its adoption.
            spans.add((tier, entry["in_force_ns"], entry["ended_ns"]))
    for tier, out_ns, back_ns in sorted(span for span in spans if None not in span):
        if back_ns <= out_ns:
            continue
        yield known[tier]._replace(from_ns=out_ns, available=False)
        yield known[tier]._replace(from_ns=back_ns, available=True)
