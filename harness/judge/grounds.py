"""Was it really decided so? What a borrower was told as a decision, held against whoever decides.

A decision of risk or compliance has a call to that service which answered no, and a policy that the
lender obeyed and that is against this draw; a refusal for quota an account that had not as much;
one for money tiers of which none had it. Rule 11 and the attribution both go by this.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from harness.clock import NS_PER_S
from harness.evidence.rows import Borrower, Intent, Policy
from harness.judge.gaps import gaps
from harness.judge.law import Law
from harness.judge.names import role
from harness.judge.purses import Purses
from harness.judge.scorecard import cut_fen, is_about
from harness.judge.view import RunView

DECIDERS = ("risk", "compliance")
# A commit may wait for the standby while what it took or gave is not yet seen by others: so much
# earlier than the answer may the money have been gone.
UNSEEN_NS = 2 * NS_PER_S


SAID_NO = """
SELECT DISTINCT draw_key, server FROM calls
WHERE result = 'refused' AND (server LIKE 'risk%' OR server LIKE 'compliance%')
"""
REFUSALS = "SELECT * FROM said_no WHERE draw_key IN (SELECT unnest($keys::VARCHAR[]))"
# What the account had when the ledger refused: its last version by then, or none.
ACCOUNTS = """
SELECT d.draw_key, v.limit_fen, v.outstanding_fen + v.held_fen FROM draws d
LEFT JOIN versions v ON v.account = 'borrower:' || d.borrower AND v.locked_ns <= d.decided_ns
WHERE d.state = 'refused' AND d.decided_ns IS NOT NULL
    AND d.draw_key IN (SELECT unnest($keys::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY d.draw_key ORDER BY v.version DESC NULLS LAST) = 1
"""


class Grounds:
    """Of the draws with these intents, in one run. Each sort of record is read when it is first
    asked about."""

    def __init__(self, view: RunView, intents: Iterable[Intent]) -> None:
        self._view = view
        self._intents = tuple(intents)
        self._gaps = gaps(view.states)
        self._law = Law(view)

    @cached_property
    def _said_no(self) -> Mapping[str, set[str]]:
        """By draw: the services of which either side has written down that they said no."""
        found: dict[str, set[str]] = defaultdict(set)
        self._view.books.once("said_no", SAID_NO)
        for key, server in self._view.books.ask(REFUSALS, self._keys):
            found[key].add(role(server))
        return found

    @cached_property
    def _accounts(self) -> Mapping[str, tuple[int | None, int | None]]:
        """By draw that the ledger refused: limit and what was used of it, fen; None: no version."""
        rows = self._view.books.ask(ACCOUNTS, self._keys)
        return {key: (limit_fen, used_fen) for key, limit_fen, used_fen in rows}

    @cached_property
    def _people(self) -> Mapping[int, Borrower]:
        borrowers = {one.borrower for one in self._intents}
        return {one.borrower: one for one in self._view.population.where(borrower=borrowers)}

    @cached_property
    def _purses(self) -> Purses:
        return Purses(self._view)

    @property
    def _keys(self) -> Mapping[str, object]:
        return {"keys": [one.draw_key for one in self._intents]}

    def bear_out(
        self, intent: Intent, cause: str, hop: str | None, sent_ns: int, done_ns: int
    ) -> bool | None:
        """Is what an attempt was refused for, at the hop it names, true? None: whoever could tell
        wrote nothing down at that time. False also for what is no decision at all."""
        if cause in DECIDERS and hop == cause:
            if cause == "risk" and self._cut_short(intent, done_ns):
                return True
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
            return not self._purses.cover(intent.amount_fen, sent_ns - UNSEEN_NS, done_ns)
        return False

    def _says_no(self, kind: str, intent: Intent, done_ns: int) -> bool:
        """Is there a policy of this kind against the draw, obeyed at some time since it was due?"""
        person = self._people.get(intent.borrower)
        if kind == "risk" and person is not None and person.delinquent:
            return True
        return any(
            policy.kind == kind
            and (_against(policy, intent, person) or self._rule_against(policy, intent, person))
            and _obeyed(policy, intent, done_ns)
            for policy in self._view.policies
        )

    def _cut_short(self, intent: Intent, done_ns: int) -> bool:
        """Had the account less than the amount, by a policy that cuts its limit? Risk says what is
        left of the limit, and the ledger refuses."""
        person = self._people.get(intent.borrower)
        if person is None or intent.draw_key not in self._accounts:
            return False
        limit_fen, used_fen = self._accounts[intent.draw_key]
        limit_fen = person.limit_fen if limit_fen is None else limit_fen
        return any(
            policy.keep_bp is not None
            and is_about(policy, person) is not False
            and _obeyed(policy, intent, done_ns)
            and intent.amount_fen > limit_fen - cut_fen(policy, limit_fen) - (used_fen or 0)
            for policy in self._view.policies
        )

    def _rule_against(self, policy: Policy, intent: Intent, person: Borrower | None) -> bool:
        return policy.rule is not None and self._law.against(policy.rule, intent, person)

    def _over_quota(self, intent: Intent) -> bool:
        """Had the account less than the amount when the ledger refused?"""
        if intent.draw_key not in self._accounts:
            return False
        limit_fen, used_fen = self._accounts[intent.draw_key]
        if limit_fen is None:
            person = self._people.get(intent.borrower)
            return person is None or intent.amount_fen > person.limit_fen
        return intent.amount_fen > limit_fen - (used_fen or 0)

    def _unwritten(self, roles: Sequence[str], from_ns: int, to_ns: int) -> bool:
        return any(
            role(gap.replica) in roles
            and gap.from_ns <= to_ns
            and (gap.to_ns is None or gap.to_ns >= from_ns)
            for gap in self._gaps
        )


def _against(policy: Policy, intent: Intent, person: Borrower | None) -> bool:
    """Did whoever decides have to say no? Where a run has no features, a policy by score may be
    against anybody. A cut is the ledger's to refuse by."""
    if policy.forbids is not None and policy.forbids == intent.purpose:
        return True
    if policy.keep_bp is not None or is_about(policy, person) is False:
        return False
    if policy.above_fen is not None:
        return intent.amount_fen > policy.above_fen
    return policy.score_below is not None


def _obeyed(policy: Policy, intent: Intent, done_ns: int) -> bool:
    """The row of a replica says from when; the row of the policy itself says nothing of that."""
    begun = policy.adopted_ns is not None and policy.adopted_ns <= done_ns
    return begun and (policy.ended_ns is None or policy.ended_ns >= intent.due_ns)
