"""The time with one copy, from planted states; and what a failover has lost."""

from dataclasses import replace

import pytest

from harness.evidence.rows import State
from harness.judge.expectations import meet
from harness.judge.exposed import exposed_s
from harness.judge.judge import judge, measure
from harness.judge.view import RunView
from harness.report.html import html
from harness.report.text import summary
from harness.scenario.model import Expectation
from tests.run_views import T0_NS, changed, clean

S = 1_000_000_000


def noted(*rows: tuple[float, str, str]) -> list[State]:
    """Rows of the monitor: (s, subject, state)."""
    return [
        State("monitor", "database", subject, f"{state} epoch 1", round(at_s * S))
        for at_s, subject, state in rows
    ]


SYNC = (1.0, "standby", "in_sync db-2")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([SYNC], 0.0),
        # Lost, and commits waited: nothing was acknowledged with one copy.
        ([SYNC, (3.0, "standby", "lost db-2"), (4.0, "standby", "in_sync db-2")], 0.0),
        ([SYNC, (3.0, "standby", "degraded"), (4.5, "standby", "in_sync db-2")], 1.5),
        # Said twice is still one time.
        (
            [(3.0, "standby", "degraded"), (3.5, "standby", "degraded"),
             (4.5, "standby", "in_sync db-2")],
            1.5,
        ),
        # A primary that is fenced acknowledges nothing; the promoted one does.
        (
            [(3.0, "standby", "degraded"), (5.0, "primary", "dead db-1"),
             (5.25, "primary", "fenced db-1"), (5.5, "primary", "promoted db-2"),
             (5.5, "standby", "degraded"), (6.0, "standby", "in_sync db-1")],
            2.75,
        ),
        # Restarted: it serves when a standby is in sync.
        (
            [(3.0, "standby", "degraded"), (5.0, "primary", "fenced db-1"),
             (5.5, "primary", "restarted db-1"), (6.0, "standby", "in_sync db-2")],
            2.0,
        ),
        # Never in sync again, and only what is within the run counts.
        ([(8.0, "standby", "degraded")], 2.0),
        ([(0.5, "standby", "degraded"), (3.0, "standby", "in_sync db-2")], 1.0),
        ([(11.0, "standby", "degraded")], 0.0),
    ],
)  # fmt: skip
def test_exposed_is_the_time_between_degraded_and_in_sync_or_fenced(
    rows: list[tuple[float, str, str]], expected: float | None
) -> None:
    states = noted(*reversed(rows))
    states.append(State("gateway-1", "breaker", "standby", "degraded", 2 * S))
    assert exposed_s(states, 2 * S, 10 * S) == expected


def test_it_is_in_the_verdict_and_told_with_its_limits() -> None:
    at_s = T0_NS / S
    view = replace(
        clean(),
        states=tuple(
            noted(
                (at_s - 1, "standby", "in_sync db-2"),
                (at_s + 20, "standby", "degraded"),
                (at_s + 21.25, "standby", "in_sync db-2"),
            )
        ),
    )
    verdict = judge(view)
    assert verdict.value["recovery"]["exposed_s"] == 1.25
    for text in (summary(view, verdict), html(view, verdict)):
        assert "1.25 s" in text
        assert "not a power cut" in text
        assert "no quorum" in text
    assert judge(clean()).value["recovery"]["exposed_s"] is None


def rpo(view: RunView) -> tuple[float | None, str]:
    found = meet(Expectation("drill", "rpo_draws", "=", 0, False, "rpo_draws = 0"), measure(view))
    return found.actual, found.verdict


def test_what_was_acknowledged_and_is_not_in_the_ledger_is_what_was_lost() -> None:
    view = clean()
    lost = [one for one in view.draws if one.state == "paid"][3:5]
    left = [one for one in view.draws if one not in lost]
    assert rpo(view) == (0, "held")
    assert rpo(changed(view, draws=left)) == (2, "breached")


def test_where_nobody_was_granted_anything_nothing_is_known_of_losses() -> None:
    view = clean()
    refused = [one for one in view.attempts if one.outcome != "granted"]
    assert rpo(changed(view, attempts=refused)) == (None, "inconclusive")
