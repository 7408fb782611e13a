"""The oracle, asked of one intent, and the table of ends, made of all at once, say the same."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import Policy, Published
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.repaid_views import repaid
from tests.run_views import T0_NS, changed

MOMENTS = st.one_of(st.none(), st.integers(-2, 45).map(lambda s: T0_NS + s * NS_PER_S))
POLICIES = st.builds(
    Policy, st.sampled_from(["risk", "compliance"]), st.integers(1, 3),
    st.sampled_from([None, "securities", "education", "o'clock"]), MOMENTS, MOMENTS,
    st.sampled_from([None, "risk-1"]), st.sampled_from([None, 20_000, 40_000]),
    st.sampled_from([None, 1_500, 5_000]), MOMENTS, st.sampled_from([None, 0, 6_000]),
    st.sampled_from([None, None, 5_000]),
)  # fmt: skip
PUBLISHED = st.builds(
    Published, st.sampled_from([None, 3, 100]), st.sampled_from(["policy", "notice"]),
    st.integers(1, 3), MOMENTS.filter(bool),
)  # fmt: skip
REPAID = repaid()


def crowded(view: RunView, borrowers: int, limit_fen: int) -> RunView:
    """The same draws by few borrowers, whose limit is soon used up."""
    people = [
        one._replace(
            tenure_months=one.borrower % 60,
            utilisation_bp=one.borrower * 97 % 9_500,
            past_due_days=0,
            income_band=1 + one.borrower % 5,
        )
        for one in view.population[:borrowers]
    ]
    return changed(
        view,
        intents=[i._replace(borrower=i.intent % borrowers + 1) for i in view.intents],
        versions=[
            v._replace(account=f"borrower:{(int(v.account[9:]) - 1) % borrowers + 1}")
            if v.account.startswith("borrower:")
            else v
            for v in view.versions
        ],
        population=[b._replace(limit_fen=limit_fen, barred=b.borrower == 2) for b in people],
    )


CUT = Policy("compliance", 1, None, T0_NS, None, None, None, None, None, None, 5_000)


@settings(max_examples=12, deadline=None)
@example([CUT], [], 5, 100_000)  # whoever is barred has less left than a cut line as well
@given(
    st.lists(POLICIES, max_size=4), st.lists(PUBLISHED, max_size=4),
    st.sampled_from([5, 60, 410]), st.sampled_from([100_000, 1_000_000, 10**9]),
)  # fmt: skip
def test_one_by_one_and_all_at_once(
    policies: list[Policy], published: list[Published], borrowers: int, limit_fen: int
) -> None:
    view = changed(
        crowded(REPAID, borrowers, limit_fen),
        policies=tuple(policies), published=tuple(published),
    )  # fmt: skip
    oracle = Oracle(view)
    for end in judge_intents(view, Oracle(view)):
        intent = end.intent
        assert (end.promised, end.lawful) == (oracle.promised(intent), oracle.lawful(intent))
        if end.lawful and end.promised and (end.granted_ns or end.paid_ns):
            assert (end.end != "wrongly_approved") == oracle.permitted(intent)
        if end.end in ("withheld", "granted_anyway"):
            assert oracle.withheld(intent)
        assert end.paid_ns == oracle.paid_ns(intent.draw_key)


def test_what_all_their_draws_leave_room_for_needs_no_oracle() -> None:
    oracle = Oracle(REPAID)
    judge_intents(REPAID, oracle)
    assert oracle._known == set()
    tight = crowded(REPAID, 5, 1_000_000)
    asked = Oracle(tight)
    judge_intents(tight, asked)
    assert asked._known
