"""The vocabulary that the parts of the judge share: how each intent ended, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from harness.evidence.columnar import Columns, Rows, in_order
from harness.evidence.derived import arrow_table, beside, coded, filled
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


# The columns of Ends: those of the intent, then what was found of it.
OF_INTENT: Mapping[str, str] = {
    "intent": "int64", "draw_key": "string", "borrower": "int64", "group": "string",
    "amount_fen": "int64", "purpose": "string", "due_ns": "int64", "phase": "string",
    "straddling": "bool",
}  # fmt: skip
OF_END: Mapping[str, str] = {
    "promised": "bool", "lawful": "bool", "end": "string", "granted_ns": "int64",
    "paid_ns": "int64", "unresolved": "bool", "cause": "string", "hop": "string",
    "avoidable": "bool", "exposed_to": "strings",
}  # fmt: skip
SCHEMA = {**OF_INTENT, **OF_END}
BROKEN: tuple[End, ...] = ("broken", "broken_late")
# The intents that a phase is judged by, in SQL; Intent.counts_in says it of one.
OF_PHASE: Mapping[str, str] = {
    "baseline": "phase = 'baseline' AND NOT straddling",
    "fault": "(phase = 'fault' OR straddling)",
    "watch": "phase = 'watch'",
}


# Not astuple, which copies every value.
_of_end = attrgetter(*OF_END)


class Ends(Columns[IntentEnd]):
    """All intents, judged, as columns: a million rows of Python's take seconds to make and as much
    memory as the rest of judging. Ask for columns, or in SQL: `view.books.ask(..., ends=ends)`."""

    __slots__ = ()

    @classmethod
    def of(cls, ends: Sequence[IntentEnd]) -> "Ends":
        """Plain ones, as they come; what is Ends already stays as it is."""
        if isinstance(ends, Ends):
            return ends
        rows = [(*one.intent, *_of_end(one)) for one in ends]
        return Ends(arrow_table(rows, SCHEMA))

    @classmethod
    def beside(cls, intents: Rows[Intent], found: Any, words: Sequence[str]) -> "Ends":
        """Of intents what was found of them, in order of intent, amount_fen and due_ns; its column
        `end` has the place of the word. Nothing is known of causes yet."""
        order = ("intent", "amount_fen", "due_ns")
        known = in_order("intents", intents.arrow().columns, order).arrow()
        empty = {name: OF_END[name] for name in ("cause", "hop", "avoidable", "exposed_to")}
        return Ends(beside(known, coded(found, "end", words), empty))

    def _made(self) -> Iterator[IntentEnd]:
        width = len(OF_INTENT)
        for row in self.columns(*SCHEMA):
            found: list[Any] = [*row[width:-1], tuple(row[-1])]
            yield IntentEnd(Intent._make(row[:width]), *found)

    def _same(self, table: Any, chosen: Any = None) -> "Ends":
        return Ends(table, chosen)

    def where(self, **wanted: Any) -> "Ends":
        """Those whose columns have the value that is asked for, or one of those."""
        return Ends(self._table, self._fitting(wanted))

    def only(self, chosen: Sequence[bool]) -> "Ends":
        """Those at whose place `chosen` is true."""
        return Ends(super().only(chosen).arrow())

    @property
    def broken(self) -> "Ends":
        """Those that are broken."""
        return self.where(end=BROKEN)

    def but_for(self, found: Sequence[IntentEnd]) -> "Ends":
        """The same, but of the broken ones what these say of causes."""
        told = Ends.of(found).arrow()
        names = ("cause", "hop", "avoidable", "exposed_to")
        return Ends(filled(self.arrow(), told, "intent", {name: OF_END[name] for name in names}))


@dataclass(frozen=True, slots=True)
class Finding:
    """One audit rule's result. verdict: held | inconclusive | breached.

    examined: rows looked at (0 is inconclusive). first/worst/last describe offending rows; keys:
    what to look up of the first few, a draw's or payout's key, or an account and its version.
    """

    rule: int
    name: str
    verdict: Literal["held", "inconclusive", "breached"]
    examined: int
    count: int
    first: str | None = None
    worst: str | None = None
    last: str | None = None
    keys: tuple[str, ...] = ()
