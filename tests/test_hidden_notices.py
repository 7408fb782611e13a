"""A notice tells nobody any longer than it is shown."""

from collections.abc import Sequence

import pytest

from harness.clock import NS_PER_S
from harness.evidence.rows import NoticeLook, Policy
from harness.judge.judge import measure
from harness.judge.noticed import hidden_ns
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from harness.judge.warnings import warnings
from tests.run_views import T0_NS, broken, changed
from tests.test_dated_law import rule, ruled
from tests.test_noticed import BOOK, CLEAN, LOOKS_S, NUMBER, look, told


def looks(*spans: tuple[float, float], status: int = 200) -> list[NoticeLook]:
    """Four a second; the notice is there from a moment on to before another."""
    return [
        look(s, there=any(low <= s < high for low, high in spans), status=status) for s in LOOKS_S
    ]


def run(seen: Sequence[NoticeLook]) -> RunView:
    """All were told at 4 s of what draws 106 to 117, due from 10.6 s on, were refused by."""
    view = broken(CLEAN, range(106, 118))
    published = (*CLEAN.published, told(4.0))
    return changed(view, policies=BOOK, published=published, notice_looks=tuple(seen))


@pytest.mark.parametrize(
    ("seen", "hidden_s"),
    [
        (looks((4, 6)), 6.002),
        (looks((4, 5), (6, 8)), 8.002),
        (looks((4, 30)), None),
        (looks(), None),
        ([*looks((4, 6))[:28], *looks(status=503)[28:]], None),
    ],
    ids=["for a while", "and again", "to the end", "never shown", "nobody answered since"],
)
def test_from_when_it_was_shown_no_more(seen: list[NoticeLook], hidden_s: float | None) -> None:
    found = {n: (at_ns - T0_NS) / NS_PER_S for n, at_ns in hidden_ns(run(seen)).items()}
    assert found == ({} if hidden_s is None else {NUMBER: hidden_s})


def test_a_notice_that_was_shown_for_a_moment_takes_no_promise_back() -> None:
    """Else guarantee and told share are had for a quarter of a second of telling."""
    for seen, is_broken in ((looks((4, 4.25)), True), (looks((4, 30)), False)):
        view = run(seen)
        total = measure(view).guarantee.total
        assert (total.broken > 0, total.withheld > 0) == (is_broken, not is_broken)
        intent = view.intents[110]
        assert Oracle(view).promised(intent) is is_broken
        assert warnings(view).told_share == (0.0 if is_broken else 1.0)
        assert (warnings(view).lead_s is None) is is_broken


def test_nor_does_one_of_a_rule_or_of_a_shortage() -> None:
    seen = [one._replace(policy=7, kind="compliance", rule="r") if one.policy else one
            for one in looks((4, 6))]  # fmt: skip
    law = changed(ruled(rule(bound=20_500), 9.0, 4.0), notice_looks=tuple(seen))
    assert Oracle(law).promised(law.intents[110])
    assert (warnings(law).told_share, warnings(law).untold) == (0, ("rule r",))
    assert not Oracle(changed(law, notice_looks=())).promised(law.intents[110])
    short = Policy("shortage", NUMBER, None, None, T0_NS + 4 * NS_PER_S, None, above_fen=0)
    dry = [a._replace(outcome="refused", cause="liquidity", status=409) if a.intent >= 150 else a
           for a in CLEAN.attempts]  # fmt: skip
    seen = [one._replace(kind="shortage") if one.policy else one for one in looks((4, 6))]
    view = changed(
        CLEAN, attempts=dry, policies=(*CLEAN.policies, short),
        published=(*CLEAN.published, told(4.0)), notice_looks=tuple(seen),
    )  # fmt: skip
    assert (warnings(view).told_share, warnings(view).untold) == (0.0, ("shortage",))
