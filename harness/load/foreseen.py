"""Which planned draws the judge will count as promised, and to which phase. Pure.

Foreseen by the oracle's rules from the plan alone, for a lender that pays each promised draw at its
due time: quota is what the limit leaves after the borrower's earlier draws and repayments, and
notices come when their faults are planned. Only what such a lender can't be foreseen in is missing:
a draw promised because an earlier one was broken, the mass repayments of a fault.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.evidence.rows import Borrower, Intent, Policy, RepayIntent
from harness.judge.scorecard import is_about, refuses
from harness.load.intents import BARRED_PURPOSE
from harness.scenario.model import PHASES

DRILL = "drill"
Fate = Literal["promised", "withheld", "refused"]
FATES: tuple[Fate, ...] = ("promised", "withheld", "refused")


@dataclass(frozen=True, slots=True)
class Notice:
    """Borrowers are told no, from `from_ns` to `until_ns` (None: for good) after t = 0: to what is
    above an amount, for a purpose, as a policy by scores has it, or what `bars` says. law: it is
    forbidden, not only unwanted."""

    from_ns: int
    until_ns: int | None
    above_fen: int | None = None
    forbids: str | None = None
    law: bool = False
    score_below: int | None = None
    stress_bp: int | None = None
    keep_bp: int | None = None
    bars: Callable[[Intent, Borrower], bool] | None = None

    def says_no(self, intent: Intent, person: Borrower | None, left_fen: int) -> bool:
        """To a draw due meanwhile, of a borrower who has so much left?"""
        if intent.due_ns < self.from_ns:
            return False
        if self.until_ns is not None and intent.due_ns >= self.until_ns:
            return False
        if intent.purpose == self.forbids:
            return True
        if person is None:
            return False
        if self.bars is not None and self.bars(intent, person):
            return True
        policy = Policy(
            "risk", 0, None, None, None, None, self.above_fen, self.score_below,
            stress_bp=self.stress_bp, keep_bp=self.keep_bp,
        )  # fmt: skip
        about = is_about(policy, person) is True
        return about and refuses(policy, intent.amount_fen, person.limit_fen, left_fen)


@dataclass(frozen=True, slots=True)
class Count:
    """draws: due in the phase; refused: of these, those that must be. promised, withheld: by which
    the phase is judged, straddling ones moved; promised_fen: the money of the promised."""

    draws: int = 0
    refused: int = 0
    promised: int = 0
    withheld: int = 0
    promised_fen: int = 0


def foresee(
    population: Iterable[Borrower],
    intents: Sequence[Intent],
    repayments: Iterable[RepayIntent],
    notices: Sequence[Notice],
    baseline_ns: int,
) -> Iterator[Fate]:
    """One for each intent, which come in due order. baseline_ns: when baseline begins."""
    people = {one.borrower: one for one in population}
    left_fen = {
        number: one.limit_fen
        for number, one in people.items()
        if not (one.barred or one.delinquent)
    }
    # What was known when baseline began, and what is the law, is refused rightly; only the rest of
    # the notices withhold what had been promised.
    rightly = [one for one in notices if one.law or one.from_ns <= baseline_ns]
    late = [one for one in notices if one not in rightly]
    owed = iter(sorted(repayments, key=lambda one: one.due_ns))
    granted: set[int] = set()
    paid = next(owed, None)
    for intent in intents:
        while paid is not None and paid.due_ns <= intent.due_ns:
            if paid.intent in granted:
                left_fen[paid.borrower] += paid.amount_fen
            paid = next(owed, None)
        person, mine_fen = people.get(intent.borrower), left_fen.get(intent.borrower, -1)
        fits = intent.amount_fen <= mine_fen
        told_no = any(notice.says_no(intent, person, mine_fen) for notice in rightly)
        if not fits or told_no or intent.purpose == BARRED_PURPOSE:
            yield "refused"
        elif any(notice.says_no(intent, person, mine_fen) for notice in late):
            yield "withheld"
        else:
            left_fen[intent.borrower] -= intent.amount_fen
            granted.add(intent.intent)
            yield "promised"


def counted(intents: Sequence[Intent], fates: Sequence[Fate]) -> Mapping[str, Count]:
    """By phase, and of the whole drill."""
    # To which phases an intent counts follows from these two: one of each kind is asked.
    kinds: dict[tuple[str, bool], Intent] = {}
    draws: Counter[tuple[str, bool, Fate]] = Counter()
    promised_fen: Counter[tuple[str, bool]] = Counter()
    for intent, fate in zip(intents, fates, strict=True):
        kind = (intent.phase, intent.straddling)
        kinds.setdefault(kind, intent)
        draws[*kind, fate] += 1
        if fate == "promised":
            promised_fen[kind] += intent.amount_fen
    found = {}
    for phase in (*PHASES, DRILL):
        due = [kind for kind in kinds if phase in (DRILL, kind[0])]
        judged = [kind for kind, one in kinds.items() if phase == DRILL or one.counts_in(phase)]
        found[phase] = Count(
            draws=sum(draws[*kind, fate] for kind in due for fate in FATES),
            refused=sum(draws[*kind, "refused"] for kind in due),
            promised=sum(draws[*kind, "promised"] for kind in judged),
            withheld=sum(draws[*kind, "withheld"] for kind in judged),
            promised_fen=sum(promised_fen[kind] for kind in judged),
        )
    return found
