"""What a scenario plans besides its rate, in lines for a terminal. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.clock import NS_PER_S
from harness.evidence.fingerprint import fingerprint
from harness.load.amounts import AMOUNT_YUAN
from harness.load.population import GROUPS
from harness.plan import Plan

NAME = 12


def facts(plan: Plan) -> Iterator[str]:
    """A few lines, each under 80 columns."""
    load = plan.scenario.load
    yield from _people(plan)
    yield _line("amounts", _amounts(plan))
    yield from _repayments(plan)
    yield from _funds(plan)
    looks = load.journey.quota_per_draw
    more = f"about {looks * len(plan.intents):.0f} looks at the quota" if looks else "none"
    how = f"{looks:g} a draw" if looks > 1 else f"before {_share(looks)} of the draws"
    yield _line("quota looks", f"{more}, {how}" if looks else more)
    yield _line("workers", f"{load.workers} load process{'es' * (load.workers > 1)}")
    yield _line("intents", fingerprint(plan.intents))
    yield _line("repayments", fingerprint(plan.repayments))
    yield _line("", "(SHA-256, as in environment.json of a run)")


def _people(plan: Plan) -> Iterator[str]:
    people, load = plan.population, plan.scenario.load
    times = Counter(intent.borrower for intent in plan.intents)
    groups = Counter(one.group for one in people)
    words = ", ".join(f"{groups[name]:,} {name}" for name in GROUPS)
    late = sum(one.delinquent for one in people)
    yield _line("borrowers", f"{len(people):,}: {words}; {late:,} in arrears")
    zipf = load.population.zipf
    law = f"by Zipf's law, {zipf:g}" if zipf else "all in turn"
    most = max(times.values())
    chosen = "as the trace says" if len(load.shape.named) == len(times) else law
    yield _line("", f"{len(times):,} of them draw, {chosen}; the most frequent {_times(most)}")
    if load.journey.hot:
        when = f" in {load.journey.hot_in}" if load.journey.hot_in else ""
        text = f"{_share(load.journey.hot)} of the draws{when} in crowds of one borrower"
        yield _line("", text)
    limits = [one.limit_fen for one in people]
    yield _line("limits", f"{_yuan(min(limits))} to {_yuan(max(limits))} yuan each")


def _amounts(plan: Plan) -> str:
    """The law, and what came of it: the absurd amounts of draws that must be refused left out."""
    law = plan.scenario.load.population.amounts
    low, high = AMOUNT_YUAN
    words = f"log-uniform, {low:,} to {high:,} yuan"
    if law is not None:
        words = (
            f"log-normal, median {_yuan(law.median_fen)}, sigma {law.sigma:g}, "
            f"{_yuan(law.low_fen)} to {_yuan(law.high_fen)} yuan"
        )
    given = sum(draw.amount_fen is not None for draw in plan.scenario.load.shape.traced)
    if given == len(plan.intents):
        return "by the trace"
    return f"{words}; {given:,} by the trace" if given else words


def _repayments(plan: Plan) -> Iterator[str]:
    """Those of draws that must be refused are never made."""
    journey = plan.scenario.load.journey
    owed = [one for one in plan.repayments if plan.fates[one.intent] == "promised"]
    if not journey.repay:
        yield _line("repaid", "nothing")
        return
    money = _yuan(sum(one.amount_fen for one in owed))
    when = _span([one.due_ns / NS_PER_S for one in owed])
    yield _line("repaid", f"{len(owed):,} times, {money} yuan, {when}, if all is granted")
    after = f"{journey.repay_after_low_s:g} s to {journey.repay_after_high_s:g} s"
    yield _line("", f"{_share(journey.repay)} of the granted draws, {after} after they were due")


def _funds(plan: Plan) -> Iterator[str]:
    """Of those tiers that have limits or little money."""
    name = "funds"
    for tier, _ in plan.scenario.lender.tier_terms:
        has = plan.funding.tiers[tier]
        limits = {"an hour": has.hour_limit_fen, "a day": has.day_limit_fen}
        said = [f"{_yuan(fen)} {span}" for span, fen in limits.items() if fen is not None]
        yield _line(name, ", ".join([f"{tier} {_yuan(has.balance_fen)} yuan", *said]))
        name = ""


def _span(moments_s: Sequence[float]) -> str:
    if not moments_s:
        return "none before the load ends"
    return f"from {min(moments_s):.1f} s to {max(moments_s):.1f} s"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _share(share: float) -> str:
    return f"{share * 100:g} %"


def _yuan(fen: int) -> str:
    return f"{round(fen / 100):,}"


def _line(name: str, text: str) -> str:
    return f"{name:<{NAME}}{text}"
