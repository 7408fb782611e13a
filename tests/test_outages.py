"""A tier is out when the plan made it so, and not when its lender says so alone."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.columns import PLACES
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Tier
from harness.evidence.seal import PLACE
from harness.evidence.store import RunDir
from harness.evidence.tables import read_rows
from harness.judge.load_view import load_view
from harness.judge.outages import borne_out
from harness.judge.view import FaultLine
from harness.scenario.law import LawSpec, Rule
from harness.scenario.model import FaultSpec, Scenario
from tests.kept_runs import DATA
from tests.run_views import T0_NS, clean

CLEAN = clean(200)
PLAN = CLEAN.tiers
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4)


def at(seconds: float) -> int:
    return T0_NS + round(seconds * NS_PER_S)


def said(tier: str, *spans: tuple[float, float]) -> list[Tier]:
    """What the lender's book comes to."""
    (row,) = [one for one in PLAN if one.tier == tier]
    return [
        row._replace(from_ns=at(at_s), available=available)
        for span in spans
        for at_s, available in zip(span, (False, True), strict=True)
    ]


def shut(kind: str, target: str, from_s: float, to_s: float | None) -> tuple[FaultSpec, FaultLine]:
    name = f"business: {kind} {target}"
    for_s = None if to_s is None else to_s - from_s
    spec = FaultSpec(name, "business", kind, from_s, for_s, (("target", target),))
    healed_ns = None if to_s is None else at(to_s)
    line = FaultLine(
        name, "gateway->ledger", "nobody" if to_s is None else "nemesis", at(from_s), at(from_s),
        at(from_s), at(from_s), healed_ns, healed_ns, None, at(from_s), healed_ns,
    )  # fmt: skip
    return spec, line


def planned(*faults: FaultSpec, law: LawSpec | None = None) -> Scenario:
    lender = replace(CLEAN.scenario.lender, law=law or LawSpec())
    return replace(CLEAN.scenario, faults=faults, lender=lender)


def out(rows: Sequence[Tier]) -> list[tuple[str, float, float]]:
    changes = [(row.tier, (row.from_ns - T0_NS) / NS_PER_S) for row in rows
               if row.available is not None]  # fmt: skip
    pairs = zip(changes[::2], changes[1::2], strict=True)
    return [(tier, from_s, to_s) for (tier, from_s), (_, to_s) in pairs]


@pytest.mark.parametrize(
    ("kind", "target"),
    [("tier_out", "own"), ("blackout", "bank.own"), ("partner_walks", "own")],
)
def test_an_outage_lasts_as_long_as_its_fault_and_no_other_tier_is_out(
    kind: str, target: str
) -> None:
    spec, line = shut(kind, target, 9, 11)
    rows = [*PLAN, *said("own", (8, 12)), *said("partner-a", (9, 11))]
    found = borne_out(rows, planned(spec), [line])
    assert out(found) == [("own", 8.9, 11.1)]
    assert found[: len(PLAN)] == PLAN
    # Its own dates are finer than the record.
    assert out(borne_out(said("own", (9.05, 11.04)), planned(spec), [line])) == [
        ("own", 9.05, 11.04)
    ]


def test_without_a_fault_no_tier_is_out_and_for_good_is_for_good() -> None:
    rows = said("own", (8, 12))
    assert out(borne_out(rows, planned(), ())) == []
    spec, line = shut("tier_out", "own", 9, None)
    assert out(borne_out(rows, planned(spec), [line])) == [("own", 8.9, 12.0)]
    # A fault that nobody has written down may have been at any time: that run is in doubt.
    assert out(borne_out(rows, planned(spec), ())) == [("own", 8.0, 12.0)]


def test_what_the_law_bars_is_out() -> None:
    rule = Rule("r", "says", "2025-10-01", "source", "every draw", tiers=("partner-a",))
    rows = [*said("own", (8, 12)), *said("partner-a", (-1, 20))]
    before = planned(law=LawSpec((rule,), today="2025-10-01"))
    assert out(borne_out(rows, before, ())) == [("partner-a", -1.0, 20.0)]
    spec, line = shut("rule_date", "2025-10-01", 9, 11)
    begins = planned(spec, law=LawSpec((rule,), today="2025-09-30"))
    assert out(borne_out(rows, begins, [line])) == [("partner-a", 8.9, 11.1)]


@given(SPANS)
def test_what_the_plan_allows_is_as_the_book_has_it(spans: list[tuple[int, int]]) -> None:
    """At every moment, however its outages overlap."""
    rows = said("own", *((low, high) for low, high in map(sorted, spans) if low < high))
    spec, line = shut("tier_out", "own", 0, 40)
    found = borne_out(rows, planned(spec), [line])

    def is_out(some: Sequence[Tier], at_s: float) -> bool:
        steps = [1 if one.available is False else -1 for one in some if one.from_ns <= at(at_s)]
        return sum(steps) > 0

    for second in range(41):
        assert is_out(found, second + 0.5) == is_out(rows, second + 0.5)


def test_a_run_directory_is_read_so(tmp_path: Path) -> None:
    run = RunDir(Path(shutil.copytree(DATA / "held", tmp_path / "held")))
    (run.path / PLACE).unlink()
    record = json.loads((run.path / "run.json").read_text())
    run.write_json("run.json", {**record, "schema": 1})
    rows = [Tier(*row) for row in read_rows(run.path, "tiers")[0]]
    (run.path / f"{PLACES['tiers']}.parquet").unlink()
    alone = [rows[0]._replace(from_ns=record["t0_ns"] + n, available=bool(n)) for n in (0, 1)]
    write_rows(run.stream_path("tiers"), "tiers", [*rows, *alone])
    assert load_view(run).tiers == tuple(rows)
