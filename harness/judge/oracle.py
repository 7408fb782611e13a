"""What a borrower had been promised, replayed from the ledger's versions alone.

Shares no code with the lender: it knows the rules from the design, and the facts from evidence.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.columnar import Rows
from harness.evidence.rows import Borrower, Draw, Intent, Policy, Version
from harness.judge.law import EVER_NS, Law
from harness.judge.noticed import hidden_ns
from harness.judge.scorecard import is_about, refuses
from harness.judge.view import RunView

# Why the ledger refuses when others have drawn what there was: of the limit, or of what a policy
# has left of it.
USED_UP = ("over-quota", "limit-cut")
# An answer of risk or compliance that is older than this when the ledger decides is none, nor is
# one of so long after it: by their word alone no law would be in force yet, or any more.
ANSWER_AGE_NS = 30 * NS_PER_S
ANSWER_AHEAD_NS = NS_PER_S


class Oracle:
    """Answers for one run. Borrowers nobody knows are promised nothing.

    What it needs of a borrower's books is read when they are first asked about: of some, when it is
    told who they will be (`know`), else of all.
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self.law = Law(view)
        self._hidden_ns = hidden_ns(view)
        self.baseline_ns = view.t0_ns + int(view.scenario.phases.start_s("baseline") * NS_PER_S)
        self._known: Collection[int] | None = ()  # None: all
        self._people: dict[int, Borrower] = {}
        self._draws: dict[str, Draw] = {}
        self._repaid_fen: dict[str, int] = {}
        self._versions: dict[int, list[Version]] = {}
        self._intents: dict[int, list[Intent]] = {}

    def know(self, borrowers: Collection[int] | None = None) -> None:
        """Read the books of these borrowers; None: of all."""
        view, self._known = self._view, borrowers
        accounts = None if borrowers is None else [f"borrower:{one}" for one in borrowers]
        self._people = {b.borrower: b for b in _of(view.population, borrower=borrowers)}
        self._versions, self._intents = defaultdict(list), defaultdict(list)
        for version in _of(view.versions, account=accounts):
            kind, _, number = version.account.partition(":")
            if kind == "borrower" and number.isdigit():
                self._versions[int(number)].append(version)
        for versions in self._versions.values():
            versions.sort(key=lambda version: version.version)
        wanted = _of(view.intents, borrower=borrowers)
        for intent in sorted(wanted, key=lambda intent: (intent.due_ns, intent.intent)):
            self._intents[intent.borrower].append(intent)
        keys = None
        if borrowers is not None:
            keys = {one.draw_key for mine in self._intents.values() for one in mine}
            keys |= {one.draw_key for mine in self._versions.values() for one in mine}
        self._draws = {d.draw_key: d for d in _of(view.draws, draw_key=keys)}
        self._repaid_fen = {r.repay_key: r.amount_fen for r in _of(view.repayments, repay_key=keys)}

    def _read(self, borrower: int) -> None:
        if self._known is not None and borrower not in self._known:
            self.know()

    def draw(self, draw_key: str) -> Draw | None:
        """The ledger's row of a draw."""
        if draw_key not in self._draws and self._known is not None:
            self.know()
        return self._draws.get(draw_key)

    def paid_ns(self, draw_key: str) -> int | None:
        """When the ledger posted it; None when it did not."""
        draw = self.draw(draw_key)
        return draw.ended_ns if draw is not None and draw.state == "paid" else None

    def available_fen(self, intent: Intent) -> int:
        """Truly available to the intent's borrower at its due time.

        The last version locked by then; money held by draws that ended otherwise than paid does
        not count against the borrower; an earlier intent that ended paid counts from its due time.
        What was repaid by then is available again.
        """
        self._read(intent.borrower)
        borrower = self._people.get(intent.borrower)
        if borrower is None:
            return 0
        versions = self._versions.get(intent.borrower, [])
        known = bisect_right([v.locked_ns for v in versions], intent.due_ns)
        used_fen = 0
        seen: set[str] = set()
        for version in versions[:known]:
            if version.event == "reserve" and self._paid(version.draw_key):
                seen.add(version.draw_key)
            elif version.event == "repay":
                used_fen -= self._repaid_fen.get(version.draw_key, 0)
        used_fen += sum(self._draws[key].amount_fen for key in seen)
        for other in self._intents[intent.borrower]:
            if (other.due_ns, other.intent) >= (intent.due_ns, intent.intent):
                break
            if other.draw_key not in seen and self._paid(other.draw_key):
                used_fen += other.amount_fen
                seen.add(other.draw_key)
        used_fen += self._won_by_others_fen(intent, seen)
        return borrower.limit_fen - used_fen + self._repaid_before_it_fen(intent, versions[known:])

    def _repaid_before_it_fen(self, intent: Intent, later: Sequence[Version]) -> int:
        """A repayment that overlaps with a draw is right in any serial order: one that the ledger
        took after the draw was due, and before it held the money of a draw that it paid, came
        first. A draw that was refused came before it."""
        if not self._paid(intent.draw_key):
            return 0
        repaid_fen = sum_fen = 0
        for version in later:
            if version.event == "repay":
                sum_fen += self._repaid_fen.get(version.draw_key, 0)
            elif version.event == "reserve" and version.draw_key == intent.draw_key:
                repaid_fen = sum_fen
        return repaid_fen

    def _won_by_others_fen(self, intent: Intent, seen: set[str]) -> int:
        """Draws of one borrower that overlap are right in any serial order: one that was refused
        because others had been decided first had no more than what they had left."""
        draw = self._draws.get(intent.draw_key)
        if draw is None or draw.reason not in USED_UP or draw.decided_ns is None:
            return 0
        deadline_ns = int(self._view.scenario.load.patience.deadline_s * NS_PER_S)
        overlapping = {
            other.draw_key
            for other in self._intents[intent.borrower]
            if abs(other.due_ns - intent.due_ns) <= deadline_ns and other.intent != intent.intent
        }
        won = {
            version.draw_key
            for version in self._versions[intent.borrower]
            if version.event == "reserve" and version.locked_ns <= draw.decided_ns
        }
        return sum(
            self._draws[key].amount_fen for key in overlapping & won - seen if self._paid(key)
        )

    def _paid(self, draw_key: str) -> bool:
        draw = self._draws.get(draw_key)
        return draw is not None and draw.state == "paid" and draw.ended_ns is not None

    def promised(self, intent: Intent) -> bool:
        """By what the borrower had been told when the intent fell due, could it be drawn?"""
        return self._told_yes(intent, intent.due_ns)

    def withheld(self, intent: Intent) -> bool:
        """Promised by what was published at the start of baseline, and no longer when due."""
        return not self.promised(intent) and self._told_yes(intent, self.baseline_ns)

    def _told_yes(self, intent: Intent, told_by_ns: int) -> bool:
        self._read(intent.borrower)
        borrower = self._people.get(intent.borrower)
        if borrower is None or borrower.barred or borrower.delinquent:
            return False
        if self._told_no(intent, told_by_ns):
            return False
        return intent.amount_fen <= self.available_fen(intent)

    def _told_no(self, intent: Intent, by_ns: int) -> bool:
        """Had the borrower been told of a policy or rule that says no when the intent is due?"""
        known = {
            row.policy
            for row in self._view.published
            if row.published_ns <= by_ns
            and row.borrower in (None, intent.borrower)
            and intent.due_ns < self._hidden_ns.get(row.policy, EVER_NS)
        }
        if any(
            policy.policy in known and self.says_no(policy, intent) and lasts(policy, intent.due_ns)
            for policy in self._view.policies
        ):
            return True
        return self.law.forbids(
            self.law.told_by(by_ns), intent.due_ns, intent, self._person(intent)
        )

    def says_no(self, policy: Policy, intent: Intent) -> bool:
        """Is the intent of those that the policy is against? Where a run has no features, nobody
        can tell of a policy that goes by scores; of rules of a rules file, see `law`."""
        if policy.forbids is not None and policy.forbids == intent.purpose:
            return True
        person = self._person(intent)
        if person is None or not is_about(policy, person):
            return False
        # Only a cut asks what is available.
        available_fen = 0 if policy.keep_bp is None else self.available_fen(intent)
        return refuses(policy, intent.amount_fen, person.limit_fen, available_fen)

    def permitted(self, intent: Intent) -> bool:
        """Does no policy of risk in force at the decision say no? That is the start of the answer
        that the lender went by, or the due time where there was none."""
        draw = self.draw(intent.draw_key)
        decided_ns = intent.due_ns
        if draw is not None and draw.risk_ns is not None:
            decided_ns = answered_ns(draw.risk_ns, draw.decided_ns)
        return not any(
            policy.kind == "risk"
            and policy.in_force_ns is not None
            and lasts(policy, decided_ns)
            and self.says_no(policy, intent)
            for policy in self._view.policies
        )

    def _person(self, intent: Intent) -> Borrower | None:
        self._read(intent.borrower)
        return self._people.get(intent.borrower)

    def lawful(self, intent: Intent) -> bool:
        """No rule in force at the decision forbids it, adopted by the lender or not."""
        draw = self.draw(intent.draw_key)
        decided_ns = intent.due_ns
        if draw is not None and draw.compliance_ns is not None:
            decided_ns = answered_ns(draw.compliance_ns, draw.decided_ns)
        if self.law.unlawful(decided_ns, intent, self._person(intent), draw):
            return False
        return not any(
            policy.kind == "compliance"
            and self.says_no(policy, intent)
            and policy.in_force_ns is not None
            and lasts(policy, decided_ns)
            for policy in self._view.policies
        )


def _of(rows: Rows[Any], **wanted: Collection[Any] | None) -> Rows[Any]:
    """Those whose columns have one of these values; None: any."""
    return rows.where(**{name: one for name, one in wanted.items() if one is not None})


def answered_ns(said_ns: int, decided_ns: int | None) -> int:
    """From when an answer dates, by who gave it, as far as the ledger's decision bears it out."""
    if decided_ns is None:
        return said_ns
    return min(max(said_ns, decided_ns - ANSWER_AGE_NS), decided_ns + ANSWER_AHEAD_NS)


# The same in SQL, of the column `said` of a draw `d`; null where it says nothing.
ANSWERED = f"""
least(greatest({{said}}, d.decided_ns - {ANSWER_AGE_NS}), d.decided_ns + {ANSWER_AHEAD_NS})
"""


def lasts(policy: Policy, at_ns: int) -> bool:
    """Has it begun, and not ended? One that is never in force begins with its adoption."""
    begins_ns = policy.in_force_ns if policy.in_force_ns is not None else policy.adopted_ns
    ended = policy.ended_ns is not None and policy.ended_ns <= at_ns
    return begins_ns is not None and begins_ns <= at_ns and not ended
