"""Why each broken intent broke: one cause, and the hop where it first went wrong.

By what the evidence shows. The lender's own words are taken only where its records bear them out: a
failure that is sold as a decision is found by looking for the decision.

A decision of risk or compliance that stands for good is the cause, whatever failed before it: with
nothing failing it would have been the same. Else the first attempt that was not granted says why:
for want of money when no tier had it, by compliance when a partner that the law bars had turned it
away, for the lender had not adopted the rule, or by the system, at the hop where it went wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.clock import NS_PER_S
from harness.evidence.rows import MACHINE, Attempt, Call, Intent
from harness.judge.ends import Ends, IntentEnd
from harness.judge.exposure import Exposure
from harness.judge.grounds import DECIDERS, Grounds
from harness.judge.health import bad_seconds
from harness.judge.hops import Hops
from harness.judge.law import Law
from harness.judge.occupied import Occupied
from harness.judge.view import RunView

ATTEMPTS = """
SELECT * FROM attempts
WHERE kind IN ('press', 'poll', 'close') AND intent IN (SELECT unnest($intents::BIGINT[]))
ORDER BY intent, coalesce(nullif(sent_ns, 0), scheduled_ns), kind, n
"""
CALLS = """
SELECT * FROM calls WHERE draw_key IN (SELECT unnest($keys::VARCHAR[]))
ORDER BY draw_key, start_ns, side, edge, server, done_ns, client
"""


def attribute(view: RunView, ends: Sequence[IntentEnd], exposures: Mapping[str, Exposure]) -> Ends:
    """The same ends, the broken ones with cause, hop and the faults that touched them."""
    judged = Ends.of(ends)
    broken_ends = tuple(judged.broken)
    if not broken_ends:
        return judged
    broken = [end.intent for end in broken_ends]
    why = _Why(view, broken)
    bad = bad_seconds(view)
    touched = _touched(exposures, {one.intent for one in broken})
    found = []
    for end in broken_ends:
        second = (end.intent.due_ns - view.t0_ns) // NS_PER_S
        cause, hop = ("system", MACHINE) if second in bad else why.of(end.intent, end.lawful)
        faults = tuple(touched[end.intent.intent])
        found.append(replace(end, cause=cause, hop=hop, exposed_to=faults))
    return judged.but_for(found)


def _touched(exposures: Mapping[str, Exposure], broken: set[int]) -> Mapping[int, list[str]]:
    """By intent: the faults that it met, in their order."""
    found: dict[int, list[str]] = defaultdict(list)
    for name, one in exposures.items():
        for number in one.intents & broken:
            found[number].append(name)
    return found


COMPLIANCE = "compliance"


class _Why:
    """Of the broken intents of one run."""

    def __init__(self, view: RunView, broken: Sequence[Intent]) -> None:
        self._attempts: dict[int, list[Attempt]] = defaultdict(list)
        numbers = [one.intent for one in broken]
        for row in view.books.ask(ATTEMPTS, {"intents": numbers}):
            self._attempts[row[0]].append(Attempt._make(row))
        self._calls: dict[str, list[Call]] = defaultdict(list)
        keys = [one.draw_key for one in broken]
        for row in view.books.ask(CALLS, {"keys": keys}):
            self._calls[row[0]].append(Call._make(row))
        refused = [one for one in broken if _refused(self._attempts[one.intent])]
        self._grounds = Grounds(view, refused)
        self._law = Law(view)
        self._tier_of = {tier.bank: tier.tier for tier in view.tiers}
        self._hops = Hops(Occupied(view), view.scenario.load.patience)

    def of(self, intent: Intent, lawful: bool) -> tuple[str, str]:
        """Cause and hop. What the law forbade broke by the law, whatever else befell it."""
        attempts = self._attempts[intent.intent]
        if not attempts or any(map(_ours, attempts)):
            return "system", MACHINE
        presses = [one for one in attempts if one.kind == "press"]
        decided = self._decided(intent, attempts)
        if not lawful and (decided is None or decided[0] != COMPLIANCE):
            return COMPLIANCE, COMPLIANCE
        if decided is not None:
            return decided
        # One that was granted, and too late, went wrong itself when nothing before it did.
        wrong = [one for one in presses if one.outcome != "granted"] or presses
        if not wrong:
            return "system", "gateway"
        first = wrong[0]
        if first.outcome == "refused" and first.cause == "liquidity" and self._true(intent, first):
            return "liquidity", str(first.hop or "ledger")
        calls = self._calls[intent.draw_key]
        partner = self._turned_away(first, calls)
        if partner is not None:
            return "compliance", partner
        return "system", self._hops.first_wrong(intent, first, calls)

    def _decided(self, intent: Intent, attempts: Iterable[Attempt]) -> tuple[str, str] | None:
        """By whom, and where, it was refused for good, if that was really so."""
        for one in attempts:
            if one.outcome == "refused" and one.cause in DECIDERS and self._true(intent, one):
                return one.cause, one.hop or one.cause
        return None

    def _turned_away(self, first: Attempt, calls: Iterable[Call]) -> str | None:
        """The bank that refused an attempt because the law bars its tier by then."""
        for call in calls:
            refused = call.attempt == first.n and call.result == "refused"
            tier = self._tier_of.get(call.server)
            if refused and any(
                one.at(call.start_ns) and tier in one.tiers for one in self._law.in_force
            ):
                return call.server
        return None

    def _true(self, intent: Intent, told: Attempt) -> bool:
        """What can't be told, because it was not written down, is believed."""
        done_ns = told.done_ns or _sent_ns(told)
        borne_out = self._grounds.bear_out(
            intent, str(told.cause), told.hop, _sent_ns(told), done_ns
        )
        return borne_out is not False


def _sent_ns(attempt: Attempt) -> int:
    return attempt.sent_ns or attempt.scheduled_ns


def _refused(attempts: Iterable[Attempt]) -> bool:
    return any(attempt.outcome == "refused" for attempt in attempts)


def _ours(attempt: Attempt) -> bool:
    """Did it break on the generator's own machine?"""
    return attempt.outcome == "dropped" or (attempt.hop == MACHINE and not attempt.status)
