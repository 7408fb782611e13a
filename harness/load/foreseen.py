"""Which planned draws the judge will count as promised, and to which phase. Pure.

Foreseen by the oracle's rules from the plan alone, for a lender that pays each promised draw at its
due time: quota is what the limit leaves after the borrower's earlier draws and repayments, and
notices come when their faults are planned. Only what such a lender can't be foreseen in is missing:
a draw promised because an earlier one was broken, the mass repayments of a fault.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.evidence.rows import Borrower, Intent, RepayIntent
from harness.load.intents import BARRED_PURPOSE
from harness.scenario.model import PHASES

DRILL = "drill"
Fate = Literal["promised", "withheld", "refused"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Borrowers are told no, from `from_ns` to `until_ns` (None: for good) after t = 0: to what is
    above an amount, or for a purpose. law: it is forbidden, not only unwanted."""

    from_ns: int
    until_ns: int | None
    above_fen: int | None = None
    forbids: str | None = None
    law: bool = False

    def says_no(self, intent: Intent) -> bool:
        """To a draw due meanwhile?"""
        lasts = self.from_ns <= intent.due_ns and (
            self.until_ns is None or intent.due_ns < self.until_ns
        )
        above = self.above_fen is not None and intent.amount_fen > self.above_fen
        return lasts and (above or intent.purpose == self.forbids)


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
    left_fen = {
        one.borrower: one.limit_fen for one in population if not (one.barred or one.delinquent)
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
        fits = intent.amount_fen <= left_fen.get(intent.borrower, -1)
        told_no = any(notice.says_no(intent) for notice in rightly)
        if not fits or told_no or intent.purpose == BARRED_PURPOSE:
            yield "refused"
        elif any(notice.says_no(intent) for notice in late):
            yield "withheld"
        else:
            left_fen[intent.borrower] -= intent.amount_fen
            granted.add(intent.intent)
            yield "promised"


def counted(intents: Sequence[Intent], fates: Sequence[Fate]) -> Mapping[str, Count]:
    """By phase, and of the whole drill."""
    return {phase: _count(intents, fates, phase) for phase in (*PHASES, DRILL)}


def _count(intents: Sequence[Intent], fates: Sequence[Fate], phase: str) -> Count:
    draws = refused = promised = withheld = promised_fen = 0
    for intent, fate in zip(intents, fates, strict=True):
        due = phase in (DRILL, intent.phase)
        draws += due
        refused += due and fate == "refused"
        if phase == DRILL or intent.counts_in(phase):
            promised += fate == "promised"
            withheld += fate == "withheld"
            promised_fen += intent.amount_fen if fate == "promised" else 0
    return Count(draws, refused, promised, withheld, promised_fen)
