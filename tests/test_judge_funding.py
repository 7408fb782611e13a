"""Was there money? Splits and claims against naive models, and runs made by hand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Tier, Version
from harness.judge.funding import COMMIT_NS, OWN, Claim, Funds, left_of, split, unfunded
from harness.judge.judge import measure
from harness.judge.stranded import balances_at
from harness.judge.view import RunView
from tests.run_views import OPENING_FEN, T0_NS, broken, changed, clean

FEN = st.integers(0, 12)
BPS = st.sampled_from([0, 1000, 3000, 5000, 9000, 10_000])


def _lawful(
    money: Mapping[str, int], own_bp: Mapping[str, int], amount_fen: int
) -> Iterator[dict[str, int]]:
    """Every lawful split there is, tried one by one."""
    partners = sorted(tier for tier in money if tier != OWN)

    def parts(
        left: Sequence[str], rest_fen: int, taken: dict[str, int]
    ) -> Iterator[dict[str, int]]:
        if not left:
            whole = {**taken, OWN: taken[OWN] + rest_fen}
            if all(fen <= max(0, money.get(tier, 0)) for tier, fen in whole.items()):
                yield whole
            return
        tier, *others = left
        for part_fen in range(rest_fen + 1):
            own_fen = part_fen * own_bp.get(tier, 0) // 10_000
            more = {**taken, tier: part_fen - own_fen, OWN: taken[OWN] + own_fen}
            yield from parts(others, rest_fen - part_fen, more)

    yield from parts(partners, amount_fen, {OWN: 0})


@given(st.dictionaries(st.sampled_from([OWN, "partner-a"]), FEN), BPS, st.integers(1, 20))
def test_a_split_is_found_just_when_there_is_one(
    money: dict[str, int], share_bp: int, amount_fen: int
) -> None:
    own_bp = {"partner-a": share_bp}
    found = split(money, own_bp, amount_fen)
    lawful = list(_lawful(money, own_bp, amount_fen))
    assert (found is None) == (not lawful)
    if found is not None:
        assert dict(+found) in [{t: fen for t, fen in one.items() if fen} for one in lawful]  # type: ignore[operator]


@given(st.tuples(FEN, FEN, FEN), st.tuples(BPS, BPS), st.integers(1, 14))
def test_with_two_joint_partners_a_split_is_lawful_and_misses_a_fen_each_at_most(
    fen: tuple[int, int, int], shares_bp: tuple[int, int], amount_fen: int
) -> None:
    money = dict(zip((OWN, "partner-a", "partner-b"), fen, strict=True))
    own_bp = dict(zip(("partner-a", "partner-b"), shares_bp, strict=True))
    found = split(money, own_bp, amount_fen)
    if found is None:
        assert not any(_lawful(money, own_bp, amount_fen + 2))
    else:
        assert {t: n for t, n in found.items() if n} in [
            {t: n for t, n in one.items() if n} for one in _lawful(money, own_bp, amount_fen)
        ]


STEPS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.booleans()), min_size=1, max_size=8
)


@given(FEN, FEN, STEPS, st.lists(st.tuples(st.integers(0, 20), st.integers(-5, 9)), max_size=4))
def test_without_joint_lending_all_tiers_are_one_purse(
    own_fen: int,
    partner_fen: int,
    steps: list[tuple[int, int, bool]],
    changes: list[tuple[int, int]],
) -> None:
    """The naive model: one sum; each claim that it covers at its decision is taken from it."""
    steps = [(at * COMMIT_NS // 2, amount_fen, paid) for at, amount_fen, paid in steps]
    changes = [(at * COMMIT_NS // 2, fen) for at, fen in changes]
    moved = tuple((at_ns, "partner-a", fen) for at_ns, fen in changes)
    funds = Funds({OWN: own_fen, "partner-a": partner_fen}, {}, moved)
    claims = [
        Claim(amount_fen, at_ns, {OWN: amount_fen} if paid else None)
        for at_ns, amount_fen, paid in steps
    ]
    gone_fen, naive = 0, []
    for claim in claims:
        there_fen = (
            own_fen
            + partner_fen
            + min(
                sum(fen for at, fen in changes if at <= by)
                for by in (claim.decided_ns - COMMIT_NS, claim.decided_ns)
            )
        )
        covered = claim.paid is not None or claim.amount_fen <= there_fen - gone_fen
        gone_fen += claim.amount_fen if covered else 0
        naive.append(not covered)
    assert unfunded(funds, claims, ()) == naive


def test_what_is_out_is_not_there_and_overlapping_times_add_up() -> None:
    outs = (
        (10, "partner-a", 1),
        (20, "partner-a", 1),
        (30, "partner-a", -1),
        (40, "partner-a", -1),
    )
    funds = Funds({OWN: 5, "partner-a": 50}, {}, (), outs)
    found = unfunded(funds, [Claim(9, at_ns, None) for at_ns in (9, 10, 25, 35, 40)], ())
    assert found == [False, True, True, True, False]
    assert funds.least_fen == 0


def test_what_others_were_paid_is_gone_from_when_it_was_held() -> None:
    funds = Funds({OWN: 10}, {})
    others = [(50, {OWN: 6}), (60, {OWN: 3})]
    assert unfunded(funds, [Claim(5, 49, None)], others) == [False]
    assert unfunded(funds, [Claim(5, 50, None)], others) == [True]
    assert unfunded(funds, [Claim(4, 55, None), Claim(1, 60, None)], others) == [False, True]


def test_a_claim_beyond_its_tier_is_met_by_others() -> None:
    assert left_of({OWN: 10, "b": 5}, {"b": 8}, {}) == {OWN: 7, "b": 0}
    assert left_of({OWN: 1, "b": 5}, {"b": 8}, {}) == {OWN: 0, "b": 0}
    assert left_of({OWN: 1}, {"b": 8}, {}) == {OWN: 1}  # out, and its claims with it


def test_the_least_of_a_tier_is_at_its_worst_moment() -> None:
    moved = ((5, "b", -30), (9, "b", 40))
    assert Funds({OWN: 7, "b": 50}, {"b": 0}, moved).least_fen == 20
    assert Funds({OWN: 7, "b": 50}, {"b": 3000}, moved).least_fen == 7


def _poor(opening_fen: int, view: RunView) -> RunView:
    """The same run with so much in each tier: nobody looks whether its versions agree."""
    return replace(view, tiers=tuple(t._replace(balance_fen=opening_fen) for t in view.tiers))


def test_a_broken_draw_is_avoidable_when_there_was_money() -> None:
    found = measure(broken(clean(), range(181, 184))).guarantee
    assert (found.total.broken, found.avoidable, found.unfunded) == (3, 3, 0)


def test_of_broken_draws_only_as_many_are_avoidable_as_the_money_reached() -> None:
    view = broken(clean(), range(181, 184))
    kept_fen = sum(
        d.amount_fen for d in view.draws if d.state == "paid" and d.draw_key < "key-000181"
    )
    room_fen = view.intents[181].amount_fen + view.intents[182].amount_fen
    # In due order: the kept ones before, then two of the three that broke, and all that came later
    # was paid all the same.
    found = measure(_poor((kept_fen + room_fen) // 2 + 1, view)).guarantee
    assert (found.avoidable, found.unfunded) == (2, 1)


def test_a_top_up_funds_what_is_decided_after_it() -> None:
    view = broken(clean(), range(181, 184))
    poor = _poor(0, view)
    assert measure(poor).guarantee.unfunded == 3
    at_ns = view.draws[182].decided_ns or 0
    last = max(v.version for v in view.versions if v.account == "tier:own/0")
    before = next(v for v in view.versions if v.account == "tier:own/0" and v.version == last)
    assert before.balance_fen is not None
    more = Version("tier:own/0", last + 1, None, None, 0, before.balance_fen + OPENING_FEN, at_ns,
                   "top", 0, "top_up")  # fmt: skip
    given_ = changed(poor, versions=(*poor.versions, more))
    # The one that it was decided at just as it came, and the one before it.
    assert measure(given_).guarantee.unfunded == 2


def test_when_the_law_changed_nothing_was_avoidable() -> None:
    view = broken(clean(), range(181, 184))
    law = view.policies[1]._replace(
        policy=2, forbids="education", in_force_ns=view.draws[181].compliance_ns, ended_ns=None,
        adopted_ns=None,
    )  # fmt: skip
    found = measure(replace(view, policies=(*view.policies, law)))
    assert found.guarantee.total.broken == 3
    assert (found.guarantee.avoidable, found.guarantee.unfunded) == (0, 0)


@pytest.mark.parametrize(
    "changes", [{"missing": ("tiers",)}, {"cut": ("versions",)}, {"tiers": ()}]
)
def test_whether_there_was_money_is_not_known_without_the_books(changes: dict[str, object]) -> None:
    view = replace(broken(clean(), range(181, 184)), **changes)  # type: ignore[arg-type]
    found = measure(view)
    assert found.guarantee.avoidable is found.guarantee.unfunded is None
    assert found.stranded is None


def _refused(view: RunView, number: int) -> RunView:
    """The draw was told `no money` at its due time; its ledger row dates that."""
    view = broken(view, range(number, number + 1))
    attempts = tuple(
        a._replace(outcome="refused", status=409, cause="liquidity", hop="ledger",
                   reason="no-money")
        if a.intent == number
        else a
        for a in view.attempts
    )  # fmt: skip
    return changed(view, attempts=attempts)


def test_money_in_other_tiers_is_stranded() -> None:
    found = measure(_refused(clean(), 181)).stranded
    assert found is not None
    assert (found.refused, found.draws, found.amount_fen) == (1, 1, 28_100)
    assert OPENING_FEN < found.idle_fen < 2 * OPENING_FEN


@pytest.mark.parametrize(("back_ms", "draws"), [(3, 0), (-50, 0), (-101, 1)])
def test_money_that_came_while_it_was_asked_for_is_not_stranded(back_ms: int, draws: int) -> None:
    """Nor what may not have been committed yet: a commit takes 100 ms at most."""
    view = _refused(clean(), 181)
    due_ns = view.intents[181].due_ns
    back_ns = due_ns + back_ms * NS_PER_MS
    back = tuple(t._replace(from_ns=back_ns, available=True) for t in view.tiers)
    out = tuple(t._replace(from_ns=due_ns - NS_PER_S, available=False) for t in view.tiers)
    found = measure(replace(view, tiers=(*view.tiers, *out, *back))).stranded
    assert found is not None
    assert (view.draws[181].decided_ns or 0) > back_ns
    assert (found.refused, found.draws) == (1, draws)


def test_nothing_is_stranded_in_tiers_that_are_out_or_empty() -> None:
    view = _refused(clean(), 181)
    out = tuple(t._replace(from_ns=T0_NS + 10 * NS_PER_S, available=False) for t in view.tiers)
    found = measure(replace(view, tiers=(*view.tiers, *out))).stranded
    assert found is not None
    assert (found.refused, found.draws, found.idle_fen) == (1, 0, 0)
    emptied = tuple(
        v._replace(balance_fen=14_000) if v.account.startswith("tier:") else v
        for v in view.versions
    )
    found = measure(changed(view, versions=emptied)).stranded
    assert found is not None
    assert found.draws == 0
    ample = tuple(v._replace(balance_fen=15_000) if v.balance_fen == 14_000 else v for v in emptied)
    found = measure(changed(view, versions=ample)).stranded
    assert found is not None
    assert (found.draws, found.idle_fen) == (1, 30_000)


def test_balances_are_those_of_the_last_version_of_each_slice() -> None:
    slices = [(5, "tier:own/0", 10), (6, "tier:own/1", 7), (8, "tier:own/0", 4)]
    funds = Funds({OWN: 17, "b": 3}, {})
    found = list(balances_at(slices, funds, [4, 6, 7, 8]))
    assert [one.get(OWN, 0) for one in found] == [0, 17, 17, 11]
    assert all(one["b"] == 3 for one in found)


def test_a_tier_named_twice_has_its_opening_once() -> None:
    view = broken(clean(), range(181, 184))
    again = Tier("own", "bank.own", 0.5, OPENING_FEN, 0, T0_NS + NS_PER_S, True)
    assert measure(replace(view, tiers=(*view.tiers, again))).guarantee.avoidable == 3
