"""The calendar: when the dates of the rules file begin, and what the lender makes of them.

A rule is law from its date. The lender obeys it when it has adopted it, which takes a while: with
`compliance_first` it begins as soon as the date is known, without it when the rule is law. Whoever
adopts ahead also tells borrowers ahead.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mock_lender.console.hold import RefusedError
from mock_lender.context import ServiceContext
from mock_lender.defects.compliance import late_s, law_of
from mock_lender.rulebook import LEAD_NS, Entry, Writer

BEFORE = "in force before"
# A rule is law for longer than any drill lasts.
LASTS_NS = 7200 * 1_000_000_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Dated:
    """An entry to be, with all its dates but its end."""

    kind: str
    in_force_ns: int
    adopted_ns: int
    announced: bool = False
    rule: str | None = None
    tier: str | None = None

    def dated(self, number: int, name: str, at_ns: int) -> Entry:
        """Borrowers are told when it is published, and its end is counted from there."""
        return Entry(
            number, name, self.kind, self.in_force_ns, self.adopted_ns,
            at_ns if self.announced else None, at_ns + LASTS_NS, tier=self.tier, rule=self.rule,
        )  # fmt: skip


class Calendar:
    """Enters the rules of a date when somebody says when that begins; once a date."""

    def __init__(self, ctx: ServiceContext, writer: Writer) -> None:
        self._law = law_of(ctx)
        self._writer = writer
        self._ahead = ctx.on("compliance_first")
        law = ctx.config.law
        self._today = "" if law is None else law.today
        self.adoption_ns = int((0.0 if law is None else law.adoption_s) * 1e9)
        self.late_ns = int(late_s(ctx.config.defects) * 1e9)
        self._dates: dict[str, tuple[str, ...]] = {}
        for name, date in ({} if self._law is None else self._law.dated()).items():
            self._dates[date] = (*self._dates.get(date, ()), name)

    def begin(self) -> None:
        """What was in force before: obeyed and known to all. Raises TooSlowError."""
        now_ns = time.monotonic_ns()
        rules = [name for date, names in self._dates.items() if date <= self._today
                 for name in names]  # fmt: skip
        if rules:
            self._writer.publish(
                BEFORE, [Dated("compliance", now_ns, now_ns, True, name) for name in rules]
            )

    def tell(self, date: str, at_ns: int | None, *, partners_stop: bool) -> dict[str, object]:
        """A date begins at this moment (CLOCK_MONOTONIC, ns; None: now). What was said first
        stays. Raises RefusedError for a date that no rule to come has, and TooSlowError."""
        if not _DATE.fullmatch(date) or date <= self._today or date not in self._dates:
            raise RefusedError(404, f"no rule takes effect on {date}, after {self._today}")
        name = name_of(date)
        if not any(entry.name == name and self._lasts(entry) for entry in self._writer.entries):
            soon_ns = time.monotonic_ns() + LEAD_NS
            begins_ns = soon_ns if at_ns is None else at_ns
            entries = [*self._rules(date, begins_ns)]
            if partners_stop:
                entries += self._stops(date, begins_ns)
            self._writer.publish(name, entries)
        return {"rules": list(self._dates[date])}

    def _lasts(self, entry: Entry) -> bool:
        return entry.ended_ns > time.monotonic_ns()

    def _rules(self, date: str, begins_ns: int) -> Iterator[Dated]:
        began_ns = time.monotonic_ns() if self._ahead else begins_ns
        adopted_ns = max(begins_ns, began_ns + self.adoption_ns) + self.late_ns
        for rule in self._dates[date]:
            yield Dated("compliance", begins_ns, adopted_ns, self._ahead, rule)

    def _stops(self, date: str, begins_ns: int) -> Iterator[Dated]:
        """A partner that a rule bars knows it as well as we do."""
        law = self._law
        tiers = {tier for rule in self._dates[date] for tier in law.tiers(rule)} if law else set()
        for tier in sorted(tiers):
            yield Dated("window", begins_ns, begins_ns, tier=tier)

    def all_of(self, dates: Mapping[str, Any]) -> None:
        """`{date: {at_ns, partners_stop}}`. Raises RefusedError, TooSlowError."""
        for date, one in dates.items():
            self.tell(date, int(one["at_ns"]), partners_stop=one["partners_stop"] is True)


def name_of(date: str) -> str:
    """What the entries of a date are entered under."""
    return f"date {date}"


class BeganDate:
    """A date that has begun, as something held: released, its rules are law no longer."""

    def __init__(self, calendar: Calendar, writer: Writer, date: str, *, stop: bool) -> None:
        self._calendar = calendar
        self._writer = writer
        self._date = date
        self._stop = stop

    async def take(self) -> dict[str, object]:
        return self._calendar.tell(self._date, None, partners_stop=self._stop)

    async def release(self) -> None:
        self._writer.withdraw(name_of(self._date))
