"""Evidence in which one thing was changed: every way to do so, and which ways change nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.columns import TABLES
from harness.evidence.rows import ROWS
from harness.judge.view import RunView
from tests.run_views import changed

MONEY = ("draws", "tries", "versions", "postings", "payouts", "tombstones", "repayments")
MUTATED = (*MONEY, "attempts", "intents")
TIERS = ("own", "partner-a")


@dataclass(frozen=True)
class Mutation:
    """kind: drop | double | amount | time | who; column: what is changed, by `by`."""

    table: str
    kind: str
    column: str = ""
    by: int = 0

    def __str__(self) -> str:
        return f"{self.table} {self.kind} {self.column} {self.by:+d}" if self.column else (
            f"{self.table} {self.kind}"
        )  # fmt: skip

    def of(self, view: RunView, place: int) -> RunView | None:
        """The run with this one row changed; None where there is nothing to change."""
        rows = list(getattr(view, self.table))
        row = rows[place]
        if self.kind == "drop":
            rows = [*rows[:place], *rows[place + 1 :]]
        elif self.kind == "double":
            rows = [*rows[: place + 1], *rows[place:]]
        else:
            other = self._other(row)
            if other is None:
                return None
            rows = [*rows[:place], other, *rows[place + 1 :]]
        return changed(view, **{self.table: rows})

    def _other(self, row: Any) -> Any:
        field = _fields(self.table)[self.column]
        value = getattr(row, field)
        if value is None:
            return None
        if isinstance(value, int):
            return row._replace(**{field: value + self.by})
        found = _another(value)
        return None if found == value else row._replace(**{field: found})


def _another(text: str) -> str:
    """Another tier, bank or borrower in an account's name, or another purpose."""
    head, colon, rest = text.partition(":")
    if head == "borrower":
        number, _, side = rest.partition(":")
        return f"borrower:{int(number) + 1}{colon if side else ''}{side}"
    for one, other in (TIERS, TIERS[::-1]):
        if one in text:
            return text.replace(one, other)
    return f"{text}-else" if text.isalpha() else text


def _fields(table: str) -> dict[str, str]:
    return dict(zip(TABLES[table].names, ROWS[table]._fields, strict=True))


def mutations() -> Iterator[Mutation]:
    """All of them."""
    for table in MUTATED:
        yield Mutation(table, "drop")
        yield Mutation(table, "double")
        for column in TABLES[table].names:
            if column.endswith("_fen"):
                yield from (Mutation(table, "amount", column, by) for by in (100, -100))
            elif column.endswith("_ns"):
                # More than a deadline: what is known a little later is a little slower, no more.
                yield from (Mutation(table, "time", column, by * NS_PER_S) for by in (9, -9))
            elif column in ("borrower", "tier", "bank", "account", "purpose"):
                yield Mutation(table, "who", column, 1)


Rule = Callable[[RunView, Mutation, Any], bool]

# What changes nothing that is judged, and why.
HARMLESS: tuple[tuple[str, Rule], ...] = (
    (
        "a refusal moves no money, and need not be in the ledger to be one",
        lambda _, m, row: m.table == "draws" and m.kind == "drop" and row.state == "refused",
    ),
    (
        "when a draw came, when risk and compliance looked at it, when a refusal was decided and "
        "written down: nothing is measured by it, unless a rule or a policy came or went meanwhile",
        lambda _, m, row: m.table == "draws"
        and (
            m.column in ("requested_ns", "risk_ns", "compliance_ns")
            or (m.column in ("decided_ns", "ended_ns") and row.state != "paid")
        ),
    ),
    (
        "until when a bank might have paid: it is held to what it paid, and when",
        lambda _, m, __: m.column == "not_after_ns",
    ),
    (
        "when a tier was opened: before everything else",
        lambda _, m, row: m.column == "locked_ns" and row.event == "opening",
    ),
    (
        "a tombstone moves nothing: what it forbids would be found by itself",
        lambda _, m, __: m.table == "tombstones",
    ),
    (
        "a quota that was read goes with its draw",
        lambda _, m, row: m.table == "attempts" and row.kind in ("look", "poll", "close"),
    ),
    (
        "when a request should have been sent, and its first byte: the generator's own figures of "
        "lateness are by second, and latency is known by the last byte",
        lambda _, m, __: m.table == "attempts" and m.column in ("scheduled_ns", "first_byte_ns"),
    ),
    (
        "when a repayment was acknowledged: nothing is measured by it",
        lambda _, m, row: m.table == "attempts" and row.kind == "repay" and m.column == "done_ns",
    ),
    (
        "a press that was not granted, beside others of its draw",
        lambda view, m, row: m.table == "attempts"
        and row.outcome not in ("granted", "repaid"),
    ),
)  # fmt: skip


def harmless(view: RunView, mutation: Mutation, place: int) -> str | None:
    """Why a mutation of this row changes nothing; None if it does."""
    row = getattr(view, mutation.table)[place]
    return next((why for why, rule in HARMLESS if rule(view, mutation, row)), None)
