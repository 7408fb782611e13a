"""Traces: draws given one by one, in a CSV or Parquet file beside the scenario.

Columns: `due_s` (seconds after the trace's `at`), and if wanted `borrower` (1 to load.borrowers)
and `amount_fen`. Rows may come in any order. Every mistake is told with file, row and column; a row
of a CSV file with its line too.
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_S
from harness.errors import Problem
from harness.evidence.given import parquet_columns
from harness.scenario.model import Traced

COLUMNS = ("due_s", "borrower", "amount_fen")
BYTES_MAX = 64 * 2**20
# A lender takes no larger draw: it would be refused as malformed, which no borrower is.
AMOUNT_FEN_MAX = 10**10
PROBLEMS_MAX = 100
_WHOLE = re.compile(r"\d{1,15}")
_NUMBER = re.compile(r"\d{1,9}(\.\d*)?")


@dataclass(slots=True)
class Beside:
    """The files that a scenario names: where they lie, and the bytes of those that were read.

    The bytes go into the run directory under these names, so that a run can be judged anywhere.
    """

    folder: Path
    taken: dict[str, bytes] = field(default_factory=dict)

    def take(self, name: str) -> tuple[str, bytes]:
        """(its name in a run directory, its bytes). Raises ValueError with what is right."""
        path = self.folder / name
        if path.suffix not in (".csv", ".parquet"):
            raise ValueError("a file that ends in .csv or .parquet, by its path from the scenario")
        try:
            if not path.is_file():
                raise ValueError(f"a file that exists: there is none at {path}")
            if path.stat().st_size > BYTES_MAX:
                raise ValueError(f"a file of at most {BYTES_MAX} bytes")
            data = path.read_bytes()
        except OSError as exc:
            raise ValueError(f"a file that can be read: {path}: {exc.strerror}") from exc
        kept = f"trace-{len(self.taken) + 1}{path.suffix}"
        self.taken[kept] = data
        return kept, data


@dataclass(frozen=True, slots=True)
class _Row:
    """values: column to what was found, as text or as Parquet has it. line: 0 in Parquet."""

    number: int
    line: int
    values: dict[str, object]


class TraceMistakes(ValueError):
    """Every mistake of a trace, as problems."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} mistakes")
        self.problems = problems


def read_trace(
    data: bytes, name: str, at_s: float, load_s: float, rows_max: int
) -> tuple[Traced, ...]:
    """The draws in due order. Raises TraceMistakes with the first hundred and how many more."""
    problems: list[Problem] = []
    found = []
    try:
        parquet = name.endswith(".parquet")
        rows = _parquet(data) if parquet else _csv(data, name, problems)
        for row in rows:
            if row.number > rows_max:
                problems.append(Problem(name, 0, "", "more rows", f"at most {rows_max} rows"))
                break
            draw = _draw(row, name, at_s, load_s, problems)
            if draw is not None:
                found.append(draw)
    except _Unreadable as exc:
        problems.append(Problem(name, exc.line, exc.column, exc.found, exc.allowed))
    if not found and not problems:
        problems.append(Problem(name, 0, "", "no row", "at least one draw"))
    if len(problems) > PROBLEMS_MAX:
        more = f"{len(problems) - PROBLEMS_MAX} more mistakes"
        problems[PROBLEMS_MAX:] = [Problem(name, 10**9, "", more, "a trace without mistakes")]
    if problems:
        raise TraceMistakes(tuple(problems))
    return tuple(sorted(found, key=lambda draw: (draw.due_ns, draw.row)))


class _Unreadable(ValueError):
    """Nothing can be read of the file, or nothing more."""

    def __init__(self, line: int, column: str, found: str, allowed: str) -> None:
        super().__init__(found)
        self.line, self.column, self.found, self.allowed = line, column, found, allowed


def _csv(data: bytes, name: str, problems: list[Problem]) -> Iterator[_Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _Unreadable(0, "", "bytes that are not UTF-8", "UTF-8 text") from exc
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header)
        number = 0
        for cells in reader:
            if not cells:
                continue
            number += 1
            if len(cells) != len(header):
                found, allowed = f"{len(cells)} values", f"{len(header)}, as in the header"
                problems.append(Problem(name, reader.line_num, f"row {number}", found, allowed))
                continue
            values: dict[str, object] = dict(
                zip(header, (cell.strip() for cell in cells), strict=True)
            )
            yield _Row(number, reader.line_num, values)
    except csv.Error as exc:
        raise _Unreadable(reader.line_num, "", str(exc), "comma-separated values") from exc


def _parquet(data: bytes) -> Iterator[_Row]:
    try:
        columns = parquet_columns(data)
    except ValueError as exc:
        raise _Unreadable(0, "", str(exc), "a Parquet file") from exc
    _check_header(list(columns))
    for number, cells in enumerate(zip(*columns.values(), strict=True), 1):
        yield _Row(number, 0, dict(zip(columns, cells, strict=True)))


def _check_header(header: list[str]) -> None:
    wanted = f"the columns {', '.join(COLUMNS)}, each once, of which due_s is needed"
    for place, column in enumerate(header):
        if column not in COLUMNS or column in header[:place]:
            raise _Unreadable(1, column, f"the column {column!r}", wanted)
    if "due_s" not in header:
        raise _Unreadable(1, "due_s", "no such column", wanted)


def _draw(
    row: _Row, name: str, at_s: float, load_s: float, problems: list[Problem]
) -> Traced | None:
    """One row, or None when it has a mistake, which is added."""

    def cell(column: str, low: float, high: float, allowed: str, *, whole: bool) -> float | None:
        value = row.values.get(column)
        number = _number(value, whole=whole)
        if number is None or not low <= number < high:
            shown = "nothing" if value in (None, "") else repr(value)[:60]
            problems.append(Problem(name, row.line, f"row {row.number}, {column}", shown, allowed))
            return None
        return number

    left_s = load_s - at_s
    due_s = cell(
        "due_s", 0, left_s, f"seconds from 0 to below {left_s:g}, the load's end", whole=False
    )
    given: dict[str, int | None] = {}
    for column, high in (("borrower", 10**6 + 1), ("amount_fen", AMOUNT_FEN_MAX + 1)):
        given[column] = None
        if column in row.values:
            number = cell(column, 1, high, f"a whole number from 1 to {high - 1}", whole=True)
            if number is None:
                due_s = None
            else:
                given[column] = int(number)
    if due_s is None:
        return None
    due_ns = min(round((at_s + due_s) * NS_PER_S), math.ceil(load_s * NS_PER_S) - 1)
    return Traced(due_ns, given["borrower"], given["amount_fen"], row.number)


def _number(value: object, *, whole: bool) -> float | None:
    """A cell as a number; text only in plain digits, never nan or 1e3."""
    if isinstance(value, str):
        fits = (_WHOLE if whole else _NUMBER).fullmatch(value)
        return (int(value) if whole else float(value)) if fits else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if not whole or isinstance(value, int) else None
