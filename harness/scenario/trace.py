"""Traces: draws given one by one, in a CSV or Parquet file beside the scenario.

Columns: `due_s` (seconds after the trace's `at`), and if wanted `borrower` (1 to load.borrowers)
and `amount_fen`; an empty cell of these two leaves the choice open. Rows may come in any order. Of
each kind of mistake the first five are told with file, row and column (and line, in a CSV file),
and how many more there are.
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_S
from harness.errors import Problem
from harness.evidence.given import parquet_columns
from harness.scenario.shape import Traced

COLUMNS = ("due_s", "borrower", "amount_fen")
BYTES_MAX = 64 * 2**20
# A lender takes no larger draw: it would be refused as malformed, which no borrower is.
AMOUNT_FEN_MAX = 10**10
EXAMPLES = 5
_WHOLE = re.compile(r"\d{1,15}(\.0*)?")
_NUMBER = re.compile(r"\d{1,9}(\.\d*)?")


@dataclass(slots=True)
class Beside:
    """The files that a scenario names: where they lie, and the bytes of those that were read.

    The bytes go into the run directory under these names, so that a run can be judged anywhere.
    """

    folder: Path
    taken: dict[str, bytes] = field(default_factory=dict)

    def take(
        self,
        name: str,
        kind: str = "trace",
        endings: tuple[str, ...] = (".csv", ".parquet"),
        bytes_max: int = BYTES_MAX,
    ) -> tuple[str, bytes]:
        """(its name in a run directory, its bytes). Raises ValueError with what is right."""
        path = self.folder / name
        if path.suffix not in endings:
            listed = " or ".join(endings)
            raise ValueError(f"a file that ends in {listed}, by its path from the scenario")
        try:
            if not path.is_file():
                raise ValueError(f"a file that exists: there is none at {path}")
            if path.stat().st_size > bytes_max:
                raise ValueError(f"a file of at most {bytes_max} bytes")
            data = path.read_bytes()
        except OSError as exc:
            raise ValueError(f"a file that can be read: {path}: {exc.strerror}") from exc
        kept = f"{kind}-{len(self.taken) + 1}{path.suffix}"
        self.taken[kept] = data
        return kept, data


@dataclass(frozen=True, slots=True)
class Window:
    """Where a trace lies: its `at`, and how long load is offered, seconds from t = 0. borrowers:
    how many there are; rows_max: how many rows are read."""

    at_s: float
    load_s: float
    borrowers: int
    rows_max: int


@dataclass(frozen=True, slots=True)
class _Row:
    """values: column to what was found, as text or as Parquet has it. line: 0 in Parquet."""

    number: int
    line: int
    values: dict[str, object]


class TraceMistakes(ValueError):
    """Every kind of mistake of a trace, as problems."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} mistakes")
        self.problems = problems


class _Mistakes:
    """Mistakes by kind: (column, what would be right)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._examples: list[Problem] = []
        self._times: Counter[tuple[str, str]] = Counter()
        self._more: dict[tuple[str, str], int] = {}

    def add(self, row: int, line: int, column: str, found: str, allowed: str) -> None:
        """One mistake; the first of its kind are kept as examples."""
        kind = (column, allowed)
        self._times[kind] += 1
        if self._times[kind] <= EXAMPLES:
            place = f"row {row}, {column}" if column else f"row {row}"
            self._examples.append(Problem(self._name, line, place, found, allowed))
        else:
            self._more.setdefault(kind, line)

    @property
    def problems(self) -> list[Problem]:
        """The examples, and a line for the rest of each kind, at the first that is left out."""
        rest = [
            Problem(self._name, line, kind[0], _more(self._times[kind] - EXAMPLES), kind[1])
            for kind, line in self._more.items()
        ]
        return [*self._examples, *rest]


def _more(rows: int) -> str:
    return "1 more row like these" if rows == 1 else f"{rows} more rows like these"


def read_trace(data: bytes, name: str, window: Window) -> tuple[Traced, ...]:
    """The draws in due order. Raises TraceMistakes."""
    mistakes = _Mistakes(name)
    found = []
    last: list[Problem] = []
    last_s = 0.0
    try:
        parquet = name.endswith(".parquet")
        for row in _parquet(data) if parquet else _csv(data, mistakes):
            if row.number > window.rows_max:
                allowed = f"at most {window.rows_max} rows"
                last.append(Problem(name, 0, "", "more rows", allowed))
                break
            last_s = max(last_s, _number(row.values.get("due_s"), whole=False) or 0.0)
            draw = _draw(row, window, mistakes)
            if draw is not None:
                found.append(draw)
    except _Unreadable as exc:
        last.append(Problem(name, exc.line, exc.column, exc.found, exc.allowed))
    problems = [*mistakes.problems, *last]
    left_s = window.load_s - window.at_s
    if problems and last_s >= left_s:
        found_s, allowed = (
            f"rows up to {last_s:g} s",
            (
                f"{left_s:g} s: so long is the load from `at`, {window.at_s:g} s after t = 0; "
                "longer phases, an earlier `at`, or a shorter trace"
            ),
        )
        problems.append(Problem(name, 0, "due_s", found_s, allowed))
    if not found and not problems:
        problems.append(Problem(name, 0, "", "no row", "at least one draw"))
    if problems:
        raise TraceMistakes(tuple(problems))
    return tuple(sorted(found, key=lambda draw: (draw.due_ns, draw.row)))


class _Unreadable(ValueError):
    """Nothing can be read of the file, or nothing more."""

    def __init__(self, line: int, column: str, found: str, allowed: str) -> None:
        super().__init__(found)
        self.line, self.column, self.found, self.allowed = line, column, found, allowed


def _csv(data: bytes, mistakes: _Mistakes) -> Iterator[_Row]:
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
                mistakes.add(number, reader.line_num, "", found, allowed)
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


def _draw(row: _Row, window: Window, mistakes: _Mistakes) -> Traced | None:
    """One row, or None when it has a mistake, which is added."""
    sound = True

    def cell(column: str, low: float, high: float, allowed: str, *, whole: bool) -> float | None:
        nonlocal sound
        value = row.values.get(column)
        if value in (None, "") and whole:
            return None
        number = _number(value, whole=whole, text=row.line > 0)
        if number is None or not low <= number < high:
            shown = "nothing" if value in (None, "") else repr(value)[:60]
            mistakes.add(row.number, row.line, column, shown, allowed)
            sound = False
        return number

    left_s = window.load_s - window.at_s
    due_s = cell(
        "due_s", 0, left_s, f"seconds from 0 to below {left_s:g}, the load's end", whole=False
    )
    most = {"borrower": window.borrowers, "amount_fen": AMOUNT_FEN_MAX}
    given: dict[str, int | None] = {}
    for column, high in most.items():
        of = ", load.borrowers, or nothing" if column == "borrower" else ", or nothing"
        number = cell(column, 1, high + 1, f"a whole number from 1 to {high}{of}", whole=True)
        given[column] = None if number is None else int(number)
    if not sound or due_s is None:
        return None
    due_ns = min(round((window.at_s + due_s) * NS_PER_S), math.ceil(window.load_s * NS_PER_S) - 1)
    return Traced(due_ns, given["borrower"], given["amount_fen"], row.number)


def _number(value: object, *, whole: bool, text: bool = True) -> float | None:
    """A cell as a number. Text only where `text` says so, in plain digits, never nan or 1e3; whole
    numbers also as 10000.0, as tables with empty cells are written."""
    if isinstance(value, str):
        fits = (_WHOLE if whole else _NUMBER).fullmatch(value) if text else None
        return float(value) if fits else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if whole and not (math.isfinite(value) and value == math.floor(value)):
        return None
    return value
