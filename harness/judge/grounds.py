"""Was it really decided so? What a borrower was told as a decision, held against whoever decides.

A decision of risk or compliance has a call to that service which answered no, and a policy that the
lender obeyed and that is against this draw; a refusal for quota an account that had not as much;
one for money tiers of which none had it. Rule 11 and the attribution both go by this.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Draw, Intent, Policy, Version
from harness.judge.gaps import gaps
from harness.judge.names import role
from harness.judge.purses import Purses
from harness.judge.view import RunView

DECIDERS = ("risk", "compliance")
# A commit may wait for the standby while what it took or gave is not yet seen by others: so much
# earlier than the answer may the money have been gone.
UNSEEN_NS = 2 * NS_PER_S


class Grounds:
    """Of the draws with these intents, in one run."""

    def __init__(self, view: RunView, intents: Iterable[Intent]) -> None:
        chosen = tuple(intents)
        keys = [one.draw_key for one in chosen]
        self._view = view
        self._said_no: Mapping[str, set[str]] = _refusals(view, keys)
        self._gaps = gaps(view.states)
        borrowers = {one.borrower for one in chosen}
        self._people: Mapping[int, Borrower] = {
            one.borrower: one for one in view.population.where(borrower=borrowers)
        }
        self._draws: Mapping[str, Draw] = {
            one.draw_key: one for one in view.draws.where(draw_key=keys)
        }
        self._accounts = _accounts(view, {f"borrower:{one}" for one in borrowers})
        self._purses: Purses | None = None

    def bear_out(
        self, intent: Intent, cause: str, hop: str | None, sent_ns: int, done_ns: int
    ) -> bool | None:
        """Is what an attempt was refused for, at the hop it names, true? None: whoever could tell
        wrote nothing down at that time. False also for what is no decision at all."""
        if cause in DECIDERS and hop == cause:
            if self._says_no(cause, intent, done_ns):
                if cause in self._said_no[intent.draw_key]:
                    return True
                return (
                    None if self._unwritten(("gateway", cause), intent.due_ns, done_ns) else False
                )
            # Who obeyed it first may be what was not written down.
            return None if self._unwritten((cause,), 0, done_ns) else False
        if cause == "compliance":
            person = self._people.get(intent.borrower)
            return person is None or person.barred
        if cause == "quota":
            return self._over_quota(intent)
        if cause == "liquidity":
            if self._purses is None:
                self._purses = Purses(self._view)
            return not self._purses.cover(intent.amount_fen, sent_ns - UNSEEN_NS, done_ns)
        return False

    def _says_no(self, kind: str, intent: Intent, done_ns: int) -> bool:
        """Is there a policy of this kind against the draw, obeyed at some time since it was due?"""
        person = self._people.get(intent.borrower)
        if kind == "risk" and person is not None and person.delinquent:
            return True
        return any(
            policy.kind == kind and _against(policy, intent) and _obeyed(policy, intent, done_ns)
            for policy in self._view.policies
        )

    def _over_quota(self, intent: Intent) -> bool:
        """Had the account less than the amount when the ledger refused?"""
        draw = self._draws.get(intent.draw_key)
        if draw is None or draw.state != "refused" or draw.decided_ns is None:
            return False
        versions = self._accounts[f"borrower:{intent.borrower}"]
        known = bisect_right([version.locked_ns for version in versions], draw.decided_ns)
        if known:
            last = versions[known - 1]
            used_fen = (last.outstanding_fen or 0) + (last.held_fen or 0)
            return intent.amount_fen > (last.limit_fen or 0) - used_fen
        person = self._people.get(intent.borrower)
        return person is None or intent.amount_fen > person.limit_fen

    def _unwritten(self, roles: Sequence[str], from_ns: int, to_ns: int) -> bool:
        return any(
            role(gap.replica) in roles
            and gap.from_ns <= to_ns
            and (gap.to_ns is None or gap.to_ns >= from_ns)
            for gap in self._gaps
        )


def _refusals(view: RunView, keys: Sequence[str]) -> Mapping[str, set[str]]:
    """By draw: the services of which either side has written down that they said no."""
    found: dict[str, set[str]] = defaultdict(set)
    refused = view.calls.where(result="refused", draw_key=keys)
    for key, server in refused.columns("draw_key", "server"):
        found[key].add(role(server))
    return found


def _accounts(view: RunView, wanted: set[str]) -> Mapping[str, list[Version]]:
    found: dict[str, list[Version]] = defaultdict(list)
    for version in view.versions.where(account=wanted):
        found[version.account].append(version)
    for versions in found.values():
        versions.sort(key=lambda version: version.version)
    return found


def _against(policy: Policy, intent: Intent) -> bool:
    """Scores are the lender's own: a policy by score may be against anybody."""
    if policy.score_below is not None:
        return True
    if policy.forbids is not None and policy.forbids == intent.purpose:
        return True
    return policy.above_fen is not None and intent.amount_fen > policy.above_fen


def _obeyed(policy: Policy, intent: Intent, done_ns: int) -> bool:
    """The row of a replica says from when; the row of the policy itself says nothing of that."""
    begun = policy.adopted_ns is not None and policy.adopted_ns <= done_ns
    return begun and (policy.ended_ns is None or policy.ended_ns >= intent.due_ns)
