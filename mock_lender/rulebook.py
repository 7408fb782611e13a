"""The rule book: what the lender may pay, to whom and from what, each entry with its dates.

One JSON file beside the lender's records, written by the console alone; whoever decides looks at it
at each decision, which costs one stat. An entry is dated a little ahead and is in the file before
its date, and so is its end: a decision dated by CLOCK_MONOTONIC obeys exactly the entries of its
date, whichever replica makes it. Each entry ends by itself when its lease does.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from mock_lender.shut import UNPUSHED, is_shut
from mock_lender.telemetry import Telemetry

NAME = "rulebook.json"
# What the lender began with is number 1.
FIRST_NUMBER = 2
KINDS = ("risk", "compliance", "tier", "window", "gone", "spare", "shortage")
LEAD_NS = 50_000_000
PUBLISH_TRIES = 5


class TooSlowError(Exception):
    """An entry could not be on the disk before its own date."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Times are CLOCK_MONOTONIC, ns.

    kind: `risk` (a policy) is about borrowers whose score in a market under `stress_bp` is below
    `score_below` (None: about all): it leaves them `keep_bp` ten-thousandths of their limits, or
    refuses their draws above `above_fen`, or all of them; `compliance` (a rule) forbids the purpose
    `forbids`; `tier`: the lender draws nothing from `tier`; `window`: the bank of `tier` takes no
    payouts; `gone`: nor does it end those that it is at; `spare`: the lender draws from `tier`
    last; `shortage`: borrowers are told that draws above `above_fen` can't be paid. rule: the rule
    of the rules file that a `compliance` entry dates.
    in_force_ns: when it became law; None: it is none. adopted_ns: from when the lender obeys; None:
    never. announced_ns: when borrowers were told; None: they were not. ended_ns: its end, or its
    lease's.
    """

    number: int
    name: str
    kind: str
    in_force_ns: int | None
    adopted_ns: int | None
    announced_ns: int | None
    ended_ns: int
    forbids: str | None = None
    above_fen: int | None = None
    score_below: int | None = None
    tier: str | None = None
    stress_bp: int | None = None
    keep_bp: int | None = None
    rule: str | None = None

    def obeyed(self, at_ns: int, latest_ns: int | None = None) -> bool:
        """Does the lender obey it at a moment? Of a moment that is not known to the nanosecond, but
        from `at_ns` to `latest_ns`, it obeys what is to be obeyed at any time of it."""
        by_ns = at_ns if latest_ns is None else latest_ns
        return self.adopted_ns is not None and self.adopted_ns <= by_ns and at_ns < self.ended_ns

    def in_force(self, at_ns: int) -> bool:
        """Is it law at a moment, obeyed or not?"""
        return self.in_force_ns is not None and self.in_force_ns <= at_ns < self.ended_ns

    def told(self, at_ns: int) -> bool:
        """Is it obeyed at a moment, and do borrowers know by then?"""
        return self.announced_ns is not None and self.announced_ns <= at_ns and self.obeyed(at_ns)


class Dateable(Protocol):
    """What becomes an entry when it is known for when."""

    def dated(self, number: int, name: str, at_ns: int) -> Entry: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry to be, its dates as delays from its publication, seconds; None: never."""

    kind: str
    lease_s: float
    in_force_s: float | None = 0.0
    adopted_s: float | None = 0.0
    announced: bool = False
    forbids: str | None = None
    above_fen: int | None = None
    score_below: int | None = None
    tier: str | None = None
    stress_bp: int | None = None
    keep_bp: int | None = None

    def dated(self, number: int, name: str, at_ns: int) -> Entry:
        """The entry when it is published for `at_ns`."""

        def after(delay_s: float | None) -> int | None:
            return None if delay_s is None else at_ns + int(delay_s * 1e9)

        return Entry(
            number=number,
            name=name,
            kind=self.kind,
            in_force_ns=after(self.in_force_s),
            adopted_ns=after(self.adopted_s),
            announced_ns=at_ns if self.announced else None,
            ended_ns=at_ns + int(self.lease_s * 1e9),
            forbids=self.forbids,
            above_fen=self.above_fen,
            score_below=self.score_below,
            tier=self.tier,
            stress_bp=self.stress_bp,
            keep_bp=self.keep_bp,
        )


def read(path: Path) -> tuple[Entry, ...]:
    """All entries there ever were; none when there is no book."""
    try:
        raw: list[dict[str, Any]] = json.loads(path.read_text())
    except FileNotFoundError:
        return ()
    return tuple(Entry(**row) for row in raw)


class Writer:
    """The console's pen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = read(path)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that there ever were."""
        return self._entries

    def publish(self, name: str, wanted: Sequence[Dateable]) -> tuple[Entry, ...]:
        """Enter them under a name; on the disk before their first date. Raises TooSlowError."""

        def dated(at_ns: int) -> tuple[Entry, ...]:
            first = FIRST_NUMBER + len(self._entries)
            new = (one.dated(first + n, name, at_ns) for n, one in enumerate(wanted))
            return (*self._entries, *new)

        before = len(self._entries)
        self._write_ahead(dated)
        return self._entries[before:]

    def withdraw(self, name: str) -> None:
        """End what is under a name and not yet over; nothing under it is no error."""

        def ended(at_ns: int) -> tuple[Entry, ...]:
            return tuple(
                replace(entry, ended_ns=at_ns)
                if entry.name == name and entry.ended_ns > at_ns
                else entry
                for entry in self._entries
            )

        self._write_ahead(ended)

    def amend(self, number: int, *, adopted_ns: int | None, announce: bool) -> None:
        """Another date of adoption for an entry (None: the one it has), and borrowers are told of
        it now. Raises TooSlowError."""

        def amended(entry: Entry, at_ns: int) -> Entry:
            if entry.number != number:
                return entry
            return replace(
                entry,
                adopted_ns=entry.adopted_ns if adopted_ns is None else adopted_ns,
                announced_ns=at_ns if announce else entry.announced_ns,
            )

        self._write_ahead(lambda at_ns: tuple(amended(one, at_ns) for one in self._entries))

    def _write_ahead(self, entries_at: Callable[[int], tuple[Entry, ...]]) -> None:
        for _ in range(PUBLISH_TRIES):
            at_ns = time.monotonic_ns() + LEAD_NS
            entries = entries_at(at_ns)
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps([asdict(entry) for entry in entries], indent=1))
            if time.monotonic_ns() >= at_ns:
                continue  # late already: nobody is to see, and obey, what is dated anew or given up
            os.replace(partial, self._path)
            if time.monotonic_ns() < at_ns:
                self._entries = entries
                return
        raise TooSlowError(f"{self._path.name} could not be written within {LEAD_NS // 10**6} ms")


class Rulebook:
    """One replica's eyes. `revision`: of the book as it was
    last seen, greater than that of any before; 0: there was none."""

    def __init__(self, path: Path, telemetry: Telemetry) -> None:
        self._path = path
        self._telemetry = telemetry
        self._seen: tuple[int, int] | None = None
        self._entries: tuple[Entry, ...] = ()
        self._noted: set[int] = set()
        self.revision = 0

    def look(self) -> tuple[Entry, ...]:
        """All of it, as it is now; what does not reach this replica is as it was."""
        if is_shut(UNPUSHED):
            return self._entries
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return self._entries
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen:
            self._entries = read(self._path)
            self._seen = seen
            self.revision = stat.st_mtime_ns
        return self._entries

    def published(self, at_ns: int) -> tuple[Entry, ...]:
        """Entries that borrowers have been told of by then, and that are not over."""
        return tuple(
            one
            for one in self.look()
            if one.announced_ns is not None and one.announced_ns <= at_ns < one.ended_ns
        )

    def told(self, kind: str, at_ns: int) -> tuple[Entry, ...]:
        """Entries of a kind that are obeyed now, and of which borrowers know."""
        return tuple(one for one in self.look() if one.kind == kind and one.told(at_ns))

    def known(self, kind: str, at_ns: int, latest_ns: int | None = None) -> tuple[Entry, ...]:
        """Entries of a kind that whoever decides now, at `at_ns`, must obey; latest_ns: as
        `Entry.obeyed` has it."""
        return tuple(
            one for one in self.look() if one.kind == kind and one.obeyed(at_ns, latest_ns)
        )

    def obeyed(self, kind: str, at_ns: int, latest_ns: int | None = None) -> tuple[Entry, ...]:
        """The same, of who decides: it is noted when it first obeys an entry."""
        found = self.known(kind, at_ns, latest_ns)
        for entry in found:
            if entry.number not in self._noted:
                self._noted.add(entry.number)
                self._telemetry.state("rule", f"{kind} {entry.number}", "adopted")
        return found


def number_of(entries: Iterable[Entry]) -> int:
    """The number that a decision under these entries goes by: that of the latest."""
    return max((entry.number for entry in entries), default=FIRST_NUMBER - 1)
