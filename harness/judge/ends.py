"""The vocabulary that the parts of the judge share: how each intent ended, and why."""

from dataclasses import dataclass
from typing import Literal

from harness.evidence.rows import Intent

End = Literal[
    "kept", "broken_late", "broken", "rightly_refused", "wrongly_approved", "withheld",
    "granted_anyway",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class IntentEnd:
    """One scheduled intent, judged. Every intent has exactly one.

    granted_ns: when the borrower learned of the grant; null if never in time to know.
    paid_ns: when the ledger posted it, null if it did not. unresolved: the drain gave up on it.
    cause/hop: null unless the end is broken; `exposed_to` names the faults that touched it.
    avoidable: false when no lawful split of any tiers covered it, or the law itself had changed;
    null unless broken, and where the tiers' money is not known.
    """

    intent: Intent
    promised: bool
    lawful: bool
    end: End
    granted_ns: int | None
    paid_ns: int | None
    unresolved: bool
    cause: str | None = None
    hop: str | None = None
    avoidable: bool | None = None
    exposed_to: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        return self.end in ("broken", "broken_late")


@dataclass(frozen=True, slots=True)
class Finding:
    """One audit rule's result. verdict: held | inconclusive | breached.

    examined: rows looked at (0 is inconclusive). first/worst/last describe offending rows.
    """

    rule: int
    name: str
    verdict: Literal["held", "inconclusive", "breached"]
    examined: int
    count: int
    first: str | None = None
    worst: str | None = None
    last: str | None = None
