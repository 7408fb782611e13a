"""Pages and texts that are tables with a sentence above them: comparisons, votes, worths.

One template for all: a title, the word and its reason, tables with a strip where a difference is to
be seen, and notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.html import render
from harness.terminal import plain

TEMPLATE = "tables.html.j2"
WIDTH, HEIGHT, EDGE = 160, 22, 8
# Signs of a cell that is one figure, and of one that is an interval: longer ones are prose.
FIGURE_MAX, INTERVAL_MAX = 14, 44


@dataclass(frozen=True, slots=True)
class Strip:
    """An interval about its estimate, on a line with zero in its middle; `band`: from -margin to
    margin, 0 for none. dots: the single differences. All in one unit."""

    estimate: float
    low: float
    high: float
    band: float
    dots: tuple[float, ...]

    def x(self, value: float) -> float:
        """Where a value lies, pixels."""
        most = max(abs(self.low), abs(self.high), self.band, *map(abs, self.dots), 1e-12)
        return round(WIDTH / 2 + value / most * (WIDTH / 2 - EDGE), 1)


Cell = str | Strip | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. marks: a word a row, for its colour: good, bad, unsure or nothing."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """word: the answer; mark: its colour."""

    title: str
    word: str
    mark: str
    reason: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def page_html(page: Page) -> str:
    """One self-contained file; the same page gives the same bytes."""
    return render(TEMPLATE, page=page, size=(WIDTH, HEIGHT), lengths=(FIGURE_MAX, INTERVAL_MAX))


def table_text(table: Table) -> list[str]:
    """For the terminal: columns in line, without what is a picture."""
    shown = [at for at, _ in enumerate(table.head) if not _pictured(table, at)]
    rows = [tuple(table.head[at] for at in shown)]
    rows += [tuple(plain(str(row[at] or "")) for at in shown) for row in table.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(shown))]
    return ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows]  # fmt: skip


def _pictured(table: Table, at: int) -> bool:
    return any(isinstance(row[at], Strip) for row in table.rows)


def notes_text(title: str, notes: Sequence[str]) -> list[str]:
    """A note a line, under one word."""
    return [f"{title:12}{plain(note)}" for note in notes]
