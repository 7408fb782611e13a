"""Mistakes planted on purpose, so that the judge can be seen to find them.

Nothing here is a setting of the lender: profiles never choose a defect, only a scenario that means
to prove something does, by name. Each really breaks money, or what is said of it, in the way its
name says. The lender's own code knows only where its parts come from: the modules beside this one
hand it the sound part, or one spoilt by the defects it was told of.

    books      the ledger's answers           sql        its functions in the database
    sweeper    who ends what was left open    bank       a bank's book
    gateway    the path of a press            failover   the monitor, and who follows it
    compliance the law as it was read
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """breaks: what goes wrong. rule: the rule of the audit that is to name it."""

    breaks: str
    rule: str


DEFECTS: Mapping[str, Defect] = {
    "payout-twice-on-retry": Defect(
        "a payout that was not answered is made again under a new key, the first left open",
        "one-payout",
    ),
    "acknowledge-before-commit": Defect(
        "draws are promised from memory and committed later: a killed ledger forgets them",
        "acknowledged-once",
    ),
    "sweeper-voids-on-not-found": Defect(
        "a bank's 'not paid' is taken for 'never will be': a late payout pays a voided try",
        "books-agree",
    ),
    "lost-void": Defect("a void is answered and not done: its hold stays for ever", "no-hold-left"),
    "forgotten-hold": Defect("a void ends the try and leaves its money held", "no-hold-left"),
    "quota-race": Defect(
        "quota is looked at without a lock: draws at once exceed the limit together",
        "quota-never-exceeded",
    ),
    "tier-oversell": Defect(
        "a tier's balance is read, and written back later: two draws get the same money",
        "tiers-conserved",
    ),
    "limit-per-slice": Defect(
        "each slice of a tier may give the tier's whole limit: together they give many times it",
        "tiers-conserved",
    ),
    "limit-forgotten": Defect(
        "of what was drawn in an hour only the last draw counts against the limit",
        "tiers-conserved",
    ),
    "partner-takes-too-little": Defect(
        "own funds take 80 % of each joint draw, so that its partner has less than the law asks",
        "tiers-conserved",
    ),
    "wrong-amount": Defect("a bank pays less than it was asked, now and then", "books-agree"),
    "misread-amount": Defect(
        "a gateway takes amounts for another unit: banks are asked for ten times as much",
        "books-agree",
    ),
    "stale-status": Defect(
        "for a second after a draw was paid, a poll says that nothing has happened", "answers-true"
    ),
    "so-far-for-certain": Defect(
        "a poll that finds nothing paid so far says so for certain, though a press is still on its"
        " way",
        "answers-true",
    ),
    "refused-but-paid": Defect(
        "draws that were paid are told refused for good, now and then", "answers-true"
    ),
    "blames-risk": Defect(
        "a risk service that can't be reached is told as its refusal, for good", "cause-true"
    ),
    "key-reuse-accepted": Defect(
        "a key like a known one is taken for it, and its body is not compared: granted, though"
        " another draw was",
        "acknowledged-once",
    ),
    "failover-that-forgets": Defect(
        "commits don't wait for the standby, which is said to be in sync", "survives-failover"
    ),
    "fencing-off": Defect(
        "a frozen primary is left alone when its standby is promoted, and one ledger stays with it",
        "acknowledged-once",
    ),
    "replay-acknowledges-unflushed": Defect(
        "what a read finds is told before the standby has it", "survives-failover"
    ),
    "rule-forgotten": Defect(
        "the last rule of the rules file never came to those who decide, adopted or not",
        "nothing-wrongly-approved",
    ),
    "rule-dated-late": Defect(
        "a rule's date is taken for one of another time zone: it is adopted an hour late",
        "nothing-wrongly-approved",
    ),
    "cap-in-wrong-unit": Defect(
        "a limit in yuan is taken for fen: what the rule allows is refused in its name",
        "cause-true",
    ),
}


def check(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is not a defect's: a typing mistake would prove nothing."""
    unknown = sorted(set(names) - DEFECTS.keys())
    if unknown:
        raise ValueError(f"no such defects: {', '.join(unknown)}")


def now_and_then(key: str, one_in: int) -> bool:
    """The same for a key each time, true for about one key in so many."""
    return sum(key.encode()) % one_in == 0
