"""Every fault of the catalogue on a real lender: injected, seen, healed, seen gone, lender whole.

    python -m benchmarks.faults [--short] [--resume] [--only network]

The nemesis itself runs each fault of docs/faults.md's examples alone, through the proxy where it
has an edge. `observed_s`: from the end of the inject call to the first sighting; `gone_s`: from the
end of the heal call (or of the bite, where the lender heals itself) to the look that saw nothing,
`steady_s` from then until every service is ready and every gateway grants a draw. Without `--short`
each is injected a second time and ended by the journal alone, as the guardian would: `undone_s`.

Results: docs/results/faults.json, with commit and machine. Exit 1 unless every fault did all of it.
"""

import argparse
import http.client
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.results import RESULTS, keep, kept
from harness.clock import NS_PER_S
from harness.environment import commit
from harness.errors import DrawproofError
from harness.evidence.rows import Borrower
from harness.evidence.store import RunDir
from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.fault import Fault
from harness.faults.sample import LENDER, sample_edges, sample_spec
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import undo_all
from harness.judge.fault_lines import read_fault_lines
from harness.load.funds import plain_funding
from harness.nemesis.nemesis import Nemesis
from harness.proxy.client import start_proxy
from harness.target.mock import MockTarget
from mock_lender.cluster.topology import Topology

BORROWERS = 2000
LIMIT_FEN = 5_000_000
UP_WITHIN_S = 40.0
STEADY_WITHIN_S = 25.0
GONE_WITHIN_S = 12.0
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did. Times in seconds; None: it never did, or there was no need to."""

    fault: str
    ok: bool
    bites_within_s: float
    inject_ms: float | None = None
    observed_s: float | None = None
    heal_ms: float | None = None
    gone_s: float | None = None
    steady_s: float | None = None
    undone_s: float | None = None
    trouble: str | None = None
    commit: str | None = None


class Bench:
    """A lender with all its edges proxied, and nobody else on it."""

    def __init__(self, run: RunDir, target: MockTarget) -> None:
        self.run = run
        self.target = target
        self._drawn = 0

    def steady_s(self, within_s: float = STEADY_WITHIN_S) -> float:
        """How long until every service is ready and every gateway grants. Raises TimeoutError."""
        began_s = time.monotonic()
        while True:
            why = self._unsteady()
            if why is None:
                return time.monotonic() - began_s
            if time.monotonic() - began_s > within_s:
                raise TimeoutError(f"not steady after {within_s:g} s: {why}")
            time.sleep(LOOK_S)

    def _unsteady(self) -> str | None:
        services = Topology.read(self.run.path / "topology.json").services
        for service in services:
            status = _ask(service.host, service.port, "GET", "/readyz")
            if status != 200:
                return f"{service.name} is not ready: {status}"
        if not self.target.copied():
            return "the standby has not caught up"
        for service in services:
            if service.role == "gateway":
                # Two draws each: a tier of its own for each would do, and none is left out.
                for _ in range(2):
                    status = self._draw(service.host, service.port)
                    if status != 201:
                        return f"{service.name} does not grant: {status}"
        return None

    def _draw(self, host: str, port: int) -> int | str:
        self._drawn += 1
        body = {"borrower": self._drawn % BORROWERS + 1, "amount_fen": 100, "purpose": "education"}
        key = f"steady-{time.monotonic_ns()}"
        return _ask(host, port, "POST", "/v1/draws", json.dumps(body), {"Idempotency-Key": key})


def _ask(
    host: str,
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> int | str:
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        more = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, {**more, **(headers or {})})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__
    finally:
        connection.close()


@contextmanager
def bench(out: Path) -> Iterator[Bench]:
    """A lender for the length of a block. Raises DrawproofError when it does not come up."""
    run = RunDir.create(out, "faults", 0)
    token = secrets.token_hex(16)
    people = (Borrower(n, "regular", LIMIT_FEN, False, False) for n in range(1, BORROWERS + 1))
    money = plain_funding(LENDER, 10**12)
    with Guardian.start(run.path) as guardian:
        run.write_token(token)
        proxy = start_proxy(guardian, run.path, token, 1)
        proxied = sample_edges(LENDER)
        target = MockTarget(guardian, run, LENDER, people, money, token, proxy, proxied)
        target.start()
        give_up_s = time.monotonic() + UP_WITHIN_S
        while not target.poll_ready():
            guardian.check()
            if time.monotonic() > give_up_s:
                raise TimeoutError(f"the lender was not up within {UP_WITHIN_S:g} s")
            time.sleep(LOOK_S)
        made = Bench(run, target)
        made.steady_s()
        yield made


def try_one(
    on: Bench, family: str, kind: str, wrap: Callable[[Fault], Fault], *, short: bool
) -> Row:
    """One fault through its whole life, by the nemesis. Never raises for what the fault does."""
    sample = sample_spec(family, kind, LENDER)
    fault = wrap(build_fault(sample))
    for_s = max(sample.for_s or 0.0, fault.bites_within_s + fault.look_s_max + 1.0)
    spec = sample_spec(family, kind, LENDER, for_s=for_s)
    fault = wrap(build_fault(spec))
    name = f"{family}: {kind}"
    try:
        row = _live(on, fault, name, spec.for_s)
        if row.ok and not short:
            again = wrap(build_fault(spec))
            row = _replaced(row, undone_s=_by_the_journal(on, again))
            on.steady_s()
    except (DrawproofError, TimeoutError, OSError) as exc:
        return Row(name, False, fault.bites_within_s, trouble=f"{exc}"[:400], commit=commit())
    return row


def _replaced(row: Row, **changes: object) -> Row:
    return Row(**{**asdict(row), **changes})


def _live(on: Bench, fault: Fault, name: str, for_s: float | None) -> Row:
    place = on.run.path / f"faults-{time.monotonic_ns()}.jsonl"
    nemesis = Nemesis(
        [(fault, 0.0, for_s)], on.target, Journal(on.run.path / "journal.jsonl"), place
    )
    nemesis.start(time.monotonic_ns())
    longest_s = (for_s or 0.0) + fault.bites_within_s + GONE_WITHIN_S
    give_up_s = time.monotonic() + longest_s
    while time.monotonic() < give_up_s and nemesis.failure() is None:
        states = place.read_text() if place.exists() else ""
        if '"observed_healed"' in states or '"failed"' in states:
            break
        time.sleep(LOOK_S)
    nemesis.stop()
    (line,) = read_fault_lines(place)
    brackets = {
        row["state"]: (row["at_ns"] - row["before_ns"]) / 1e6
        for row in map(json.loads, place.read_text().splitlines())
        if row["before_ns"] is not None
    }
    trouble = line.failure or nemesis.failure()
    if trouble is None and line.heal_observed_ns is None:
        trouble = f"not seen gone within {longest_s:g} s"
    since_ns = line.healed_ns if line.healed_ns is not None else line.observed_ns
    steady_s = on.steady_s()
    return Row(
        fault=name,
        ok=trouble is None and line.observed_ns is not None,
        bites_within_s=fault.bites_within_s,
        inject_ms=brackets.get("injected"),
        observed_s=_between_s(line.injected_ns, line.observed_ns),
        heal_ms=brackets.get("healed"),
        gone_s=_between_s(since_ns, line.heal_observed_ns),
        steady_s=steady_s,
        trouble=trouble,
        commit=commit(),
    )


def _between_s(before_ns: int | None, after_ns: int | None) -> float | None:
    if before_ns is None or after_ns is None:
        return None
    return round((after_ns - before_ns) / NS_PER_S, 3)


def _by_the_journal(on: Bench, fault: Fault) -> float | None:
    """Injected, and ended by the journal's undo alone; None: there is nothing to undo."""
    journal = Journal(on.run.path / "journal.jsonl")
    undo = fault.undo(on.target)
    if undo["kind"] == "nothing":
        return None
    journal.plan(fault.name, undo)
    fault.inject(on.target)
    try:
        _until(lambda: fault.observe(on.target).bites is True, fault.bites_within_s, "not seen")
    finally:
        began_s = time.monotonic()
        lines = undo_all(on.run.path, "benchmark")
    # Others may be pending: of one that was never seen nobody knows that it is gone.
    if f"{fault.name}: undone" not in lines:
        raise TimeoutError(f"the journal's undo: {lines}")
    _until(lambda: fault.observe(on.target).bites is False, GONE_WITHIN_S, "not gone by its undo")
    return round(time.monotonic() - began_s, 3)


def _until(what: Callable[[], bool], within_s: float, trouble: str) -> None:
    give_up_s = time.monotonic() + within_s
    while not what():
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"{trouble} within {within_s:g} s")
        time.sleep(LOOK_S)


def table(rows: list[Row]) -> str:
    """For people: one line a fault."""
    lines = [f"{'fault':32} {'bites':>7} {'seen s':>7} {'gone s':>7} {'steady':>7} {'undone':>7}"]
    for row in rows:
        cells = (row.bites_within_s, row.observed_s, row.gone_s, row.steady_s, row.undone_s)
        shown = " ".join(f"{'-' if cell is None else f'{cell:.2f}':>7}" for cell in cells)
        lines.append(f"{row.fault:32} {shown} {'' if row.ok else f'FAILED: {row.trouble}'}")
    return "\n".join(lines)


def every_fault(only: str | None = None) -> list[tuple[str, str]]:
    """(family, kind) of the whole catalogue, in its order."""
    return [key for key in sorted(CATALOGUE) if only is None or key[0] == only]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="without the journal's turn")
    parser.add_argument("--resume", action="store_true", help="keep the faults that did it all")
    parser.add_argument("--only", metavar="FAMILY")
    arguments = parser.parse_args()
    place = RESULTS / "faults.json"
    known = kept(place, "faults", resume=arguments.resume or arguments.only is not None)
    rows = {row["fault"]: Row(**row) for row in known}
    due = [
        key for key in every_fault(arguments.only)
        if not (arguments.resume and (old := rows.get(": ".join(key))) is not None and old.ok)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        while due:
            with bench(Path(folder)) as on:
                while due:
                    family, kind = due.pop(0)
                    row = try_one(on, family, kind, lambda fault: fault, short=arguments.short)
                    rows[row.fault] = row
                    print(table([row]).splitlines()[1], flush=True)
                    _write(place, rows)
                    if not row.ok:
                        break  # a lender that may not be whole is no place for the next one
    _write(place, rows)
    print(table(list(rows.values())))
    return 0 if all(row.ok for row in rows.values()) else 1


def _write(place: Path, rows: dict[str, Row]) -> None:
    found = [asdict(rows[name]) for name in sorted(rows)]
    summary = {"faults": len(found), "ok": sum(bool(row["ok"]) for row in found)}
    keep(place, "faults", found, summary)


if __name__ == "__main__":
    sys.exit(main())
