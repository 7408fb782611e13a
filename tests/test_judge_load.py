"""What the judge makes of the load's own evidence: health, clocks, whether all of it is there."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.errors import ScenarioError
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import Manifest, ShareEvidence
from harness.evidence.rows import ClockRow, Second
from harness.judge.clocks import clock_error_ns, worker_clocks
from harness.judge.completeness import incomplete
from harness.judge.health import VALUES
from harness.judge.judge import judge
from harness.judge.view import RunView
from harness.report.text import summary
from harness.scenario.generator_limits import LIMITS, SECOND_LIMITS
from harness.scenario.loader import load_scenario
from tests.run_views import SCENARIO, SMOKE, T0_NS, changed, clean

MS = NS_PER_MS


def clock(
    worker: str,
    at_s: float,
    offset_ms: float,
    known_ms: float,
    applied_ns: int = 0,
    same_kernel: bool = False,
) -> ClockRow:
    return ClockRow(
        worker, "host-b", T0_NS + int(at_s * NS_PER_S), int(offset_ms * MS), int(known_ms * MS),
        applied_ns, same_kernel, 8,
    )  # fmt: skip


def with_manifest(view: RunView, **changes: object) -> RunView:
    """A view whose one worker has handed over everything, and what was changed of that."""
    rows = {"attempts": len(view.attempts), "generator": len(view.generator), "clocks": 2}
    sha256 = fingerprint(view.intents)
    share = ShareEvidence(0, "worker-1", "this machine", len(view.intents), len(view.intents),
                          sha256, 9, rows, 0, 40)  # fmt: skip
    clocks = tuple(clock("worker-1", s, 0, 0.1, same_kernel=True) for s in (-1, 41))
    return replace(
        view,
        manifest=Manifest(True, (replace(share, **changes),)),  # type: ignore[arg-type]  # as given
        planned=view.intents,
        clocks=clocks,
    )


def spoilt(view: RunView, seconds: range, **changes: Any) -> RunView:
    """These seconds of the generator's record say something else."""
    return replace(
        view,
        generator=tuple(
            row._replace(**changes) if row.second in seconds else row for row in view.generator
        ),
    )


def test_complete_evidence_is_held() -> None:
    verdict = judge(with_manifest(clean()))
    assert verdict.exit_code == 0, verdict.reason
    assert verdict.value["generator"]["clocks"] == [
        {"worker": "worker-1", "offset_ms": 0.0, "uncertainty_ms": 0.1}
    ]
    assert verdict.value["generator"]["loosened"] == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: with_manifest(v, missing="was not heard for 30 s", missing_s=(12, 40)),
         "worker-1 on this machine (share 1 of 1): was not heard for 30 s; seconds 12 to 40"),
        (lambda v: replace(v, manifest=Manifest(False, v.manifest.shares)),
         "master did not come to its end"),
        (lambda v: changed(v, attempts=v.attempts[1:]), "409 of 410 rows of attempts"),
        (lambda v: replace(v, clocks=v.clocks[1:]), "1 of 2 rows of clocks"),
        (lambda v: replace(v, planned=v.planned[1:]), "not those that were handed out"),
    ],
    ids=["lost", "no-end", "row", "clock-row", "plan"],
)  # fmt: skip
def test_evidence_that_is_not_all_there_is_inconclusive_and_says_what(
    spoil: Callable[[RunView], RunView], words: str
) -> None:
    view = spoil(with_manifest(clean()))
    assert any(words in text for text in incomplete(view)), incomplete(view)
    verdict = judge(view)
    assert verdict.exit_code == 3
    assert any(words in doubt for doubt in verdict.doubts)
    assert "incomplete" in verdict.reason


def test_a_run_from_before_there_were_manifests_is_judged_as_it_was() -> None:
    view = clean()
    assert view.manifest is None
    assert incomplete(view) == []
    assert judge(view).exit_code == 0


def test_every_limit_has_a_value_a_bound_and_a_reason() -> None:
    assert set(VALUES) == {limit.key for limit in SECOND_LIMITS}
    assert len({limit.key for limit in LIMITS}) == len(LIMITS)
    assert all(limit.bound > 0 and len(limit.why) > 30 for limit in LIMITS)


@pytest.mark.parametrize(
    ("changes", "what", "calm"),
    [
        ({"late_ns_max": 201 * MS}, "sent late 201 ms, at most 200 ms", False),
        ({"lag_ns_max": 250 * MS}, "a heartbeat overslept 250 ms", False),
        ({"connect_ns_max": 300 * MS}, "waiting for a connection 300 ms", True),
        ({"gc_ns": 250 * MS}, "collecting garbage 250 ms", False),
        ({"psi_share": 0.8}, "waiting for a CPU 80%, at most 70%", True),
        ({"steal_share": 0.5}, "taken by the hypervisor 50%", False),
    ],
    ids=[limit.key for limit in SECOND_LIMITS],
)
def test_beyond_a_limit_for_long_is_inconclusive_and_says_which(
    changes: dict[str, object], what: str, calm: bool
) -> None:
    in_baseline = judge(spoilt(clean(), range(4, 9), **changes))
    assert in_baseline.exit_code == 3
    assert what in in_baseline.reason
    in_fault = judge(spoilt(clean(), range(17, 23), **changes))
    assert in_fault.exit_code == (0 if calm else 3)
    assert judge(spoilt(clean(), range(4, 5), **changes)).exit_code == 0, "one is a hiccup"


def test_one_dropped_draw_is_one_too_many_and_not_the_lenders() -> None:
    view = clean()
    gone = view.intents[205]
    attempts = tuple(
        a._replace(outcome="dropped", status=0, sent_ns=None, first_byte_ns=None, done_ns=None)
        if a.intent == gone.intent
        else a
        for a in view.attempts
    )
    draws = tuple(d for d in view.draws if d.draw_key != gone.draw_key)
    verdict = judge(changed(view, attempts=attempts, draws=draws))
    assert any("1 draws were dropped" in doubt for doubt in verdict.doubts)
    end = next(e for e in verdict.parts.ends if e.intent.intent == gone.intent)
    assert end.broken
    assert (end.cause, end.hop) == ("system", "machine")
    assert verdict.parts.amplification.borrower == 1.0


def test_a_looser_bound_is_allowed_and_said() -> None:
    load = replace(SCENARIO.load, generator=(("late", 0.5), ("pressure", 0.5)))
    view = replace(clean(), scenario=replace(SCENARIO, load=load))
    late = spoilt(view, range(4, 9), late_ns_max=300 * MS)
    verdict = judge(late)
    assert verdict.exit_code == 0
    (said,) = verdict.value["generator"]["loosened"]
    assert "load.generator.late" in said
    assert said in summary(late, verdict)
    crowded = judge(spoilt(view, range(4, 9), psi_share=0.6))
    assert crowded.exit_code == 3, "a stricter bound is just that"


def test_a_worker_that_has_no_rows_at_all_is_missed() -> None:
    view = with_manifest(clean())
    assert view.manifest is not None
    (share,) = view.manifest.shares
    second = replace(share, share=1, worker="worker-2", rows={})
    two = replace(view, manifest=Manifest(True, (share, second)))
    assert "a worker has no row for 38 of them" in " ".join(judge(two).doubts)


@pytest.mark.parametrize(
    ("rows", "error_ms"),
    [
        # One kernel, one clock: the best round holds for all of the run.
        ([clock("w", -1, 0, 0.2, same_kernel=True), clock("w", 20, 1, 5, same_kernel=True)], 0.2),
        # Two machines drift apart by 200 millionths: half-way between -1 and 21 s that is 2.2 ms.
        ([clock("w", -1, 0, 0.2), clock("w", 21, 0, 0.2), clock("w", 41, 0, 0.2)], 2.4),
        # What was taken off is known as well as the best round says.
        ([clock("w", 0, 250, 0.3, applied_ns=250 * MS, same_kernel=True),
          clock("w", 41, 250.1, 0.1, applied_ns=250 * MS, same_kernel=True)], 0.2),
        # Rounds that can't both be right: the clock was moved, by 39.6 ms at least.
        ([clock("w", -1, 0, 0.2, same_kernel=True), clock("w", 20, 40, 0.2, same_kernel=True)],
         39.8),
    ],
    ids=["one-kernel", "drift", "applied", "moved"],
)  # fmt: skip
def test_how_well_a_clock_is_known(rows: list[ClockRow], error_ms: float) -> None:
    view = replace(clean(), clocks=tuple(rows))
    (found,) = worker_clocks(view)
    assert found.error_ns / MS == pytest.approx(error_ms, abs=0.05)
    verdict = judge(view)
    assert (verdict.exit_code == 3) == (error_ms > 10)
    if error_ms > 10:
        assert "the clock of w is known to" in verdict.reason


@given(st.lists(st.tuples(st.integers(-2, 45), st.integers(0, 50)), min_size=1, max_size=6))
def test_more_rounds_never_know_less_while_they_agree(rounds: list[tuple[int, int]]) -> None:
    rows = tuple(clock("w", at_s, 0, known_ms, same_kernel=True) for at_s, known_ms in rounds)
    few = clock_error_ns(replace(_EMPTY, clocks=rows[:1]))
    assert clock_error_ns(replace(_EMPTY, clocks=rows)) <= few


_EMPTY = clean(1)


def test_a_lie_is_only_a_lie_beyond_what_the_clocks_know() -> None:
    """A poll that said *voided* so far 1 ms after the bank had paid, by a clock known to 5 ms."""
    view = clean()
    paid = view.payouts[0]
    intent = next(i for i in view.intents if i.draw_key == paid.draw_key)
    press = next(a for a in view.attempts if a.intent == intent.intent)
    poll = press._replace(
        kind="poll", sent_ns=paid.paid_ns + MS, outcome="unknown", reason="voided", status=503,
        done_ns=paid.paid_ns + 2 * MS,
    )  # fmt: skip
    told = changed(view, attempts=(*view.attempts, poll))
    rule = {f.name: f.verdict for f in judge(told).parts.audit}
    assert rule["answers-true"] == "breached"
    rows = (clock("worker-1", 0, 0, 5, same_kernel=True),)
    rule = {f.name: f.verdict for f in judge(replace(told, clocks=rows)).parts.audit}
    assert rule["answers-true"] == "held"


def test_older_rows_of_health_have_no_value_for_what_came_later() -> None:
    row = Second("w", 1, 0, 0, 0, 0, 0, 0, 0.1, None, None)
    assert (row.lag_ns_p99, row.connect_ns_p99, row.connect_ns_max) == (None, None, None)
    assert VALUES["connect"](row) == 0


def test_a_scenario_sets_bounds_and_is_told_what_is_none() -> None:
    chosen = "load.generator={late: 100ms, pressure: 60 %, bad_seconds: 10 %, clock: 2ms}"
    assert dict(load_scenario(SMOKE, (chosen,), None).scenario.load.generator) == {
        "late": 0.1, "pressure": 0.6, "bad_seconds": 0.1, "clock": 0.002,
    }  # fmt: skip
    wrong = "load.generator={late: 100, dropped: 5}"
    with pytest.raises(ScenarioError) as caught:
        load_scenario(SMOKE, (wrong,), None)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {"load.generator.late", "load.generator.dropped"}
