"""Limits of hours and days in the judge: against naive sums, and on runs made by hand."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import Tier, Try, Version
from harness.judge.audit_books import tiers
from harness.judge.funding import Claim, Funds, unfunded
from harness.judge.limits import Limits
from harness.judge.purses import Purses
from harness.judge.view import RunView
from tests.run_views import T0_NS, changed, clean, scenario

HOUR_S, DAY_HOURS = 4, 3
LIMITED = scenario(
    "lender.calendar={hour: 4s, hours: 3}",
    "lender.tiers={own: {share: 50 %, hourly: 1000000 yuan}, partner-a: 50 %}",
    "cause=liquidity",
)


@cache
def used_fen() -> tuple[dict[int, int], dict[int, int]]:
    """What the clean run draws from `own`, by hour and by day."""
    view = clean()
    amounts = dict(view.draws.columns("draw_key", "amount_fen"))
    hours: dict[int, int] = defaultdict(int)
    days: dict[int, int] = defaultdict(int)
    for one in view.tries:
        if one.tier == "own":
            hour = (one.opened_ns - T0_NS) // (HOUR_S * NS_PER_S)
            hours[hour] += amounts[one.draw_key]
            days[hour // DAY_HOURS] += amounts[one.draw_key]
    return hours, days


def limited(hour_fen: int | None = None, day_fen: int | None = None, *more: Tier) -> RunView:
    """The clean run, in which `own` has these limits."""
    view = clean()
    rows = [
        one._replace(hour_limit_fen=hour_fen, day_limit_fen=day_fen) if one.tier == "own" else one
        for one in view.tiers
    ]
    return changed(view, scenario=LIMITED, tiers=(*rows, *more))


def test_what_is_within_every_limit_is_held() -> None:
    hours, days = used_fen()
    assert not tiers(limited(max(hours.values()), max(days.values())), ()).rows


def test_one_fen_over_the_limit_of_an_hour_is_found_once_an_hour() -> None:
    hours, _ = used_fen()
    found = tiers(limited(max(hours.values()) - 1), ()).rows
    assert len(found) == 1
    assert found[0][1].startswith("tier:own: 1 fen over the limit of hour ")
    assert len(tiers(limited(0), ()).rows) == len(hours)


def test_the_limit_of_a_day_is_another() -> None:
    hours, days = used_fen()
    found = tiers(limited(max(hours.values()), max(days.values()) - 1), ()).rows
    assert ["over the limit of day" in text for _, text in found] == [True]


CUT = scenario(
    "lender.calendar={hour: 4s, hours: 3}", "cause=liquidity",
    "lender.tiers={own: {share: 50 %, hourly: 1000000 yuan}, partner-a: 50 %}",
    "faults=[{business: limit_cut, target: own, to: 25 %, at: fault+7s, for: 5s}]",
)  # fmt: skip
CUT_NS = T0_NS + 22 * NS_PER_S
HEALED_NS = CUT_NS + 5 * NS_PER_S


def cut(*said: tuple[float, int], injected: bool = True) -> RunView:
    """`own` has 1,000 fen an hour, cut to 250 from 22 s to 27 s by what the nemesis knows, and by
    the lender's books these limits from these seconds on."""
    view = limited(1_000)
    own = next(one for one in view.tiers if one.tier == "own")
    rows = [own._replace(from_ns=T0_NS + round(at_s * NS_PER_S), hour_limit_fen=fen)
            for at_s, fen in said]  # fmt: skip
    line = replace(
        view.faults[0], name=CUT.faults[0].name, injected_ns=CUT_NS if injected else None,
        inject_began_ns=CUT_NS - NS_PER_S // 20, healed_ns=HEALED_NS if injected else None,
        heal_began_ns=HEALED_NS - NS_PER_S // 20,
    )  # fmt: skip
    return changed(view, scenario=CUT, tiers=(*view.tiers, *rows), faults=(line,))


def limit_at(view: RunView, *at_s: float) -> list[int | None]:
    found = Limits(view)
    return [found.limit_fen("own", "hour", T0_NS + round(one * NS_PER_S)) for one in at_s]


def test_a_limit_counts_from_when_it_was_cut() -> None:
    view = limited(10**12)
    line = replace(view.faults[0], name=CUT.faults[0].name, injected_ns=CUT_NS, healed_ns=None)
    kept = replace(CUT.faults[0], for_s=None, params=(*CUT.faults[0].params, ("to", 0.0)))
    for_good = replace(CUT, faults=(kept,))
    found = tiers(changed(view, scenario=for_good, faults=(line,)), ()).rows
    assert len(found) == len([hour for hour in used_fen()[0] if hour >= 22 // HOUR_S])


def test_the_books_say_when_within_what_is_known_from_outside() -> None:
    assert limit_at(cut((21.96, 250), (26.97, 1_000)), 21.95, 21.97, 26.96, 26.98) == [
        1_000, 250, 250, 1_000,
    ]  # fmt: skip
    # They say nothing, or what can't be: then what is certain counts, in the lender's favour.
    for said in ((), ((20.0, 250), (24.0, 1_000)), ((22.0, 249), (26.97, 1_001))):
        assert limit_at(cut(*said), 21.99, 22.01, 26.94, 26.96) == [1_000, 250, 250, 1_000]


def test_a_limit_that_the_lender_gave_itself_counts_for_nothing() -> None:
    """Neither a higher one, within which it would always keep, nor a lower one, for which it could
    refuse; nor one of a cut that never was."""
    hours, _ = used_fen()
    least = limited(min(hours.values()) - 1)
    own = next(one for one in least.tiers if one.tier == "own")
    raised = own._replace(from_ns=T0_NS, hour_limit_fen=10**12)
    assert len(tiers(least, ()).rows) == len(hours)
    assert len(tiers(changed(least, tiers=(*least.tiers, raised)), ()).rows) == len(hours)
    assert limit_at(cut((1.0, 10**12), (2.0, 0)), 1.5, 2.5, 21.0, 28.0) == [1_000] * 4
    assert limit_at(cut((22.0, 250), injected=False), 21.0, 23.0) == [1_000] * 2


def test_what_was_void_counts_no_more() -> None:
    """A draw that is void by the time of the next leaves its room."""
    view = limited(1000)
    spoilt = changed(view, versions=_two(300, 800, void=True), tries=())
    assert Limits(spoilt).used_fen("own", "hour", T0_NS + 2 * NS_PER_S) == 800
    spoilt = changed(view, versions=_two(300, 800, void=False), tries=())
    assert Limits(spoilt).used_fen("own", "hour", T0_NS + 2 * NS_PER_S) == 1100
    assert Limits(spoilt).room_fen("own", T0_NS + NS_PER_S) == 700
    assert Limits(spoilt).room_fen("own", T0_NS + 2 * NS_PER_S) == 0
    assert Limits(spoilt).room_fen("own", T0_NS + 5 * NS_PER_S) == 1000
    assert Limits(spoilt).low_fen("own", T0_NS, T0_NS + 5 * NS_PER_S) == 0
    assert Limits(spoilt).room_fen("partner-a", T0_NS) is None


def _two(first: int, second: int, *, void: bool) -> list[Version]:
    whole, at_s = 10_000, [0.5, 1.0, 2.0]
    steps = [("a", -first, "reserve")]
    steps += [("a", first, "void")] if void else [("a", 0, "post")]
    steps += [("b", -second, "reserve")]
    found, balance = [Version("tier:own/0", 1, None, None, 0, whole, 0, "own", 0, "opening")], whole
    for number, ((key, fen, event), at) in enumerate(zip(steps, at_s, strict=True), start=2):
        balance += fen
        at_ns = T0_NS + int(at * NS_PER_S)
        found.append(
            Version("tier:own/0", number, None, None, 0, balance, at_ns, key, 1, event)
        )  # fmt: skip
    return found


MOVES = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 50), st.booleans()), max_size=12)


@settings(max_examples=40)  # each a database's
@given(MOVES, st.integers(0, 250))
def test_what_counts_is_the_sum_of_its_hour(
    moves: list[tuple[int, int, bool]], at_tenths: int
) -> None:
    """Each draw at its tenth of a second; void ones 3 s later."""
    events = [(tenth, -fen, f"k{n}", "reserve") for n, (tenth, fen, _) in enumerate(moves)] + [
        (tenth + 30, fen, f"k{n}", "void") for n, (tenth, fen, void) in enumerate(moves) if void
    ]
    balance, versions = 10_000, []
    for number, (tenth, fen, key, event) in enumerate(sorted(events), start=1):
        balance += fen
        at_ns = T0_NS + tenth * NS_PER_S // 10
        row = Version("tier:own/0", number, None, None, 0, balance, at_ns, key, 1, event)
        versions.append(row)
    opening = Version("tier:own/0", 0, None, None, 0, 10_000, 0, "own", 0, "opening")
    found = Limits(changed(limited(100), versions=(opening, *versions), tries=()))
    hour = at_tenths // (10 * HOUR_S)
    naive = sum(
        fen
        for tenth, fen, void in moves
        if tenth // (10 * HOUR_S) == hour and tenth <= at_tenths
        and not (void and tenth + 30 <= at_tenths)
    )  # fmt: skip
    at_ns = T0_NS + at_tenths * NS_PER_S // 10
    assert found.used_fen("own", "hour", at_ns) == naive


def test_a_claim_beyond_the_limit_of_its_hour_is_unfunded_and_the_next_hours_is_not() -> None:
    funds = Funds({"own": 10**6}, {}, limits=Limits(limited(1000)))
    at_ns = [T0_NS + seconds * NS_PER_S for seconds in (1, 2, 3, 5)]
    paid = [{"own": 600}, None, None, None]
    claims = [Claim(600, at, what) for at, what in zip(at_ns, paid, strict=True)]
    assert unfunded(funds, claims, ()) == [False, True, True, False]
    others = [(T0_NS + 5 * NS_PER_S - 1, {"own": 500})]
    assert unfunded(funds, claims, others)[-1]


def test_a_refusal_at_the_limit_is_true_and_one_beside_room_is_not() -> None:
    hours, _ = used_fen()
    first_ns, last_ns = T0_NS + 3 * NS_PER_S, T0_NS + int(3.9 * NS_PER_S)
    tight = limited(hours[0])
    gone = [one._replace(available=False) for one in tight.tiers if one.tier == "partner-a"]
    tight = changed(tight, tiers=(*tight.tiers, *gone))
    assert not Purses(tight).cover(10_000, first_ns, last_ns)
    roomy = changed(limited(2 * hours[0]), tiers=(*limited(2 * hours[0]).tiers, *gone))
    assert Purses(roomy).cover(10_000, first_ns, last_ns)


def test_a_lender_that_asks_one_tier_alone_may_find_that_one_empty() -> None:
    """Nobody else knows which it was: it is untrue only when each of them had the money."""
    hours, _ = used_fen()
    from_ns, to_ns = T0_NS + 3 * NS_PER_S, T0_NS + int(3.9 * NS_PER_S)
    assert Purses(limited(hours[0])).cover(10_000, from_ns, to_ns)
    alone = scenario(
        "lender.calendar={hour: 4s, hours: 3}", "lender.protections={tier_fallthrough: off}",
        "cause=liquidity",
    )  # fmt: skip
    assert not Purses(changed(limited(hours[0]), scenario=alone)).cover(10_000, from_ns, to_ns)
    assert Purses(changed(limited(2 * hours[0]), scenario=alone)).cover(10_000, from_ns, to_ns)


PARTS = scenario(
    "lender.calendar={hour: 4s, hours: 3}", "cause=liquidity",
    "lender.protections={fine_allocation: off}",
    "lender.tiers={own: {share: 50 %, hourly: 1000000 yuan, parts: 2}, partner-a: 50 %}",
    "faults=[{business: limit_cut, target: own, to: 25 %, at: fault+7s, for: 5s}]",
)  # fmt: skip


def in_parts(hour_fen: int | None, day_fen: int | None, *, cut: bool = False) -> RunView:
    """`own`, which pays alone, has two parts with 10,000 fen each. Of one 300 fen are drawn at 1 s,
    and 100 of them are void at 2 s; its hourly limit is cut from 22 s on."""
    view = limited(hour_fen, day_fen)
    gone = [one._replace(available=False) for one in view.tiers if one.tier == "partner-a"]
    steps = [(0, 10_000, 0, "opening"), (0, 10_000, -1, "opening"),
             (0, 9_800, 1, "reserve"), (0, 9_700, 1, "reserve"), (0, 9_800, 2, "void")]  # fmt: skip
    versions, moments = [], [(0, *steps[0]), (1, *steps[1])]
    moments += [(0, *one) for one in steps[2:]]
    for number, (part, _, balance_fen, at_s, event) in enumerate(moments):
        key = "b" if number > 2 else "a"
        at_ns = T0_NS + at_s * NS_PER_S + number
        versions.append(Version(f"tier:own/{part}", number, None, None, 0, balance_fen, at_ns,
                                key, 1, event))  # fmt: skip
    line = replace(
        view.faults[0], name=PARTS.faults[0].name, injected_ns=CUT_NS, healed_ns=HEALED_NS,
    )  # fmt: skip
    return changed(view, scenario=PARTS, tiers=(*view.tiers, *gone), versions=versions, tries=(),
                   faults=(line,) if cut else ())  # fmt: skip


def least_fen(view: RunView, from_s: float, to_s: float) -> int:
    """The most that it covers at any time between."""
    purses = Purses(view)
    from_ns, to_ns = (T0_NS + round(one * NS_PER_S) for one in (from_s, to_s))
    too_much = range(20_001)
    found = bisect_left(too_much, 1, key=lambda fen: not purses.cover(fen, from_ns, to_ns))
    return too_much[found] - 1


def test_of_a_limit_each_part_that_is_kept_apart_has_its_share() -> None:
    """A draw has one part: it is refused truly only when the poorest had not that much."""
    assert least_fen(in_parts(None, None), 0.5, 0.9) == 10_000
    hourly = in_parts(1_000, None)
    assert least_fen(hourly, 0.5, 0.9) == 500
    assert least_fen(hourly, 0.5, 1.5) == 200
    assert least_fen(hourly, 2.5, 3.5) == 300
    assert least_fen(hourly, 4.5, 5.5) == 500
    daily = in_parts(None, 1_000)
    assert least_fen(daily, 4.5, 5.5) == 300
    assert least_fen(daily, 12.5, 13.5) == 500


def test_what_a_part_has_is_not_known_for_the_rest_of_an_hour_in_which_a_limit_changed() -> None:
    view = in_parts(1_000, None, cut=True)
    found = [least_fen(view, at_s, at_s + 0.1) for at_s in (21, 22.5, 24.5, 26.5, 27.5, 28.5)]
    assert found == [500, 0, 125, 125, 0, 500]
    daily = in_parts(1_000, 1_000, cut=True)
    assert least_fen(daily, 28.5, 28.6) == 0
    assert least_fen(daily, 36.5, 36.6) == 500


def test_of_outages_that_overlap_the_tier_is_out_until_the_last_has_ended() -> None:
    """Both tiers are out from 2 s on by one, and from 3 s on by another; one ends at 5 s."""
    view = clean()

    def turns(*moments: tuple[float, bool]) -> RunView:
        rows = [
            one._replace(from_ns=T0_NS + round(at_s * NS_PER_S), available=available)
            for one in view.tiers
            for at_s, available in moments
        ]
        return changed(view, tiers=(*view.tiers, *rows))

    out = turns((2, False), (3, False), (5, True))
    both = turns((2, False), (3, False), (5, True), (9, True))
    covered = {
        at_s: [Purses(one).cover(100, T0_NS + at_s * NS_PER_S, T0_NS + at_s * NS_PER_S + 1)
               for one in (out, both)]
        for at_s in (1, 4, 6, 10)
    }  # fmt: skip
    assert covered == {1: [True] * 2, 4: [False] * 2, 6: [False] * 2, 10: [False, True]}


def test_a_partner_has_at_least_what_the_law_asks() -> None:
    """As agreed, and too little all the same."""
    view = clean()
    agreed = [one._replace(own_bp=7500) if one.tier == "partner-a" else one for one in view.tiers]
    amounts = dict(view.draws.columns("draw_key", "amount_fen"))

    def shared(one: Try) -> Try:
        return one._replace(own_fen=amounts[one.draw_key] * 7500 // 10_000, own_slice=0)

    tries = [shared(one) if one.tier == "partner-a" else one for one in view.tries]
    texts = [text for _, text in tiers(changed(view, tiers=tuple(agreed), tries=tries), ()).rows]
    assert any("leaves the partner less than 30 %" in text for text in texts)
