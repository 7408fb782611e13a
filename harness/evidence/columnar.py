"""Rows that are kept as typed columns: small, quick to look at whole, and rows only when asked for.

A row of `attempts` as a NamedTuple is a kilobyte or so, and a million of them take seconds to make;
in columns it is a hundred bytes. So whoever looks at all rows asks for the columns it needs, and
whoever needs rows makes them of the few that it needs:

    attempts.counts("outcome")
    for intent, done_ns in attempts.where(kind="press").columns("intent", "done_ns"): ...
    for attempt in attempts.where(intent=broken): ...
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import pyarrow as pa
import pyarrow.compute as pc

from harness.evidence.columns import TABLES
from harness.evidence.json_lines import json_lines
from harness.evidence.rows import ROWS

Row_co = TypeVar("Row_co", covariant=True)
Wanted = str | int | Collection[str] | Collection[int]

# Values that are turned into Python's own at a time: looking at a whole column keeps none of it.
AT_ONCE = 1 << 15
# How a value of them lies in memory.
FORMS: Mapping[str, Literal["q", "d"]] = {"int64": "q", "double": "d"}
# Strings that stand in many rows are kept once; of keys and accounts nearly every row has its own.
WORDS = pa.dictionary(pa.int32(), pa.string())


def kept_schema(table: str) -> pa.Schema:
    """The table's columns with the types that they are kept in."""
    return pa.schema([(one.name, _kept_as(one)) for one in TABLES[table]])


def word_columns(table: str) -> list[str]:
    """The columns of the table in which few strings stand in many rows."""
    return [one.name for one in kept_schema(table) if one.type == WORDS]


def _kept_as(field: Any) -> pa.DataType:
    own = field.name.endswith("_key") or field.name == "account"
    return WORDS if field.type == pa.string() and not own else field.type


@dataclass(frozen=True, slots=True)
class Stored:
    """A table that lies in its Parquet file until somebody looks.

    columns: those that it has. read: some of its columns (None: all) of the rows in which columns
    have one of some values (None: of all rows). by: the columns that its rows are ordered by; none:
    all.
    """

    place: Path
    rows: int
    columns: Sequence[str]
    read: Callable[[Sequence[str] | None, Mapping[str, Sequence[Any]] | None], pa.Table]
    by: Sequence[str]


class Columns(Sequence[Row_co]):
    """Rows that are kept as columns; nothing in them ever changes. A row is made anew each time it
    is looked at: `==` says whether two are the same, `is` does not."""

    __slots__ = ("_chosen", "_held")

    def __init__(self, table: pa.Table | None, chosen: Any = None) -> None:
        """Of the table's rows those at whose place `chosen`, a boolean each, is true."""
        self._held: Any = table
        self._chosen = chosen

    def _made(self) -> Iterator[Row_co]:
        raise NotImplementedError

    def _same(self, table: pa.Table, chosen: Any = None) -> "Columns[Row_co]":
        """The same kind of rows, of this table."""
        raise NotImplementedError

    @property
    def _table(self) -> Any:
        return self._held

    def __len__(self) -> int:
        return self._table.num_rows if self._chosen is None else pc.sum(self._chosen).as_py() or 0

    def __iter__(self) -> Iterator[Row_co]:
        return self._made()

    @overload
    def __getitem__(self, index: int) -> Row_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Columns[Row_co]": ...
    def __getitem__(self, index: int | slice) -> "Row_co | Columns[Row_co]":
        places = range(len(self))[index]
        if isinstance(places, int):
            return next(iter(self._same(self.arrow().slice(places, 1))))
        return self._same(self.arrow().take(pa.array(places, pa.int64())))

    def column(self, name: str) -> Iterator[Any]:
        """The values of a column, in order; None for null."""
        return chain.from_iterable(
            piece for chunk in self._column(name).chunks for piece in _values(chunk)
        )

    def numbers(self, name: str) -> Sequence[Any]:
        """A column of int64 or float64 without nulls, as it lies in memory: to look up few of many.

        Raises ValueError for any other column."""
        column = self._column(name).combine_chunks()
        form = FORMS.get(str(column.type))
        if form is None or column.null_count:
            raise ValueError(f"{name} is no column of numbers alone")
        values = memoryview(column.buffers()[1]).cast(form) if len(column) else ()
        return values[column.offset : column.offset + len(column)]

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The values of these columns, row by row."""
        return zip(*map(self.column, names), strict=True)

    def counts(self, name: str) -> Counter[Any]:
        """How often a column has each of its values; None for null."""
        found = pc.value_counts(self._column(name))
        return Counter(dict(zip(*(part.to_pylist() for part in found.flatten()), strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and bool(self.arrow().equals(other.arrow()))

    __hash__ = None  # type: ignore[assignment]

    def only(self, chosen: Sequence[bool]) -> "Columns[Row_co]":
        """The rows at whose place `chosen` is true."""
        return self._same(self.arrow(), pa.array(chosen, pa.bool_()))

    def arrow(self) -> pa.Table:
        """The columns themselves, for whoever looks at them whole."""
        found: pa.Table = self._table
        return found if self._chosen is None else found.filter(self._chosen)

    def _fitting(self, wanted: Mapping[str, Wanted]) -> Any:
        """Which rows have the value that is asked for, or one of those, in each of the columns."""
        chosen = self._chosen
        for name, values in wanted.items():
            fit = _is_in(self._table.column(name), values)
            chosen = fit if chosen is None else pc.and_(chosen, fit)
        return chosen

    def _column(self, name: str) -> Any:
        column = self._table.column(name)
        return column if self._chosen is None else column.filter(self._chosen)


class Rows(Columns[Row_co]):
    """Rows of one table of the evidence, NamedTuples of rows.py; columns have the names of
    columns.py."""

    __slots__ = ("_name", "stored")

    def __init__(
        self, name: str, table: pa.Table | None, chosen: Any = None, stored: Stored | None = None
    ) -> None:
        """A table of this name, its columns those of columns.py; without one, what is `stored`."""
        super().__init__(None if table is None else table.cast(kept_schema(name)), chosen)
        self._name = name
        self.stored = stored

    @classmethod
    def of(cls, name: str, rows: Iterable[Iterable[object]]) -> "Rows[Any]":
        """Plain rows of the table of this name, as they come."""
        columns = list(zip(*rows, strict=True)) or [()] * len(TABLES[name])
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, TABLES[name], strict=True)
        ]
        return Rows(name, pa.Table.from_arrays(arrays, schema=TABLES[name]))

    @property
    def _table(self) -> Any:
        if self._held is None and self.stored is not None:
            found = self.stored.read(None, None)
            self._held = in_order(self._name, found.columns, self.stored.by).arrow()
        return self._held

    def _made(self) -> Iterator[Row_co]:
        return map(ROWS[self._name]._make, self.columns(*self._table.column_names))

    def _same(self, table: pa.Table, chosen: Any = None) -> "Rows[Row_co]":
        return Rows(self._name, table, chosen)

    def __len__(self) -> int:
        return self.stored.rows if self.stored and self._held is None else super().__len__()

    @overload
    def __getitem__(self, index: int) -> Row_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows[Row_co]": ...
    def __getitem__(self, index: int | slice) -> "Row_co | Rows[Row_co]":
        found: Row_co | Rows[Row_co] = super().__getitem__(index)  # type: ignore[assignment]
        return found

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self._name}>"

    def counts(self, name: str) -> Counter[Any]:
        """How often a column has each of its values; None for null."""
        if self.stored and self._held is None:
            return Columns[Row_co](self.stored.read([name], None)).counts(name)
        return super().counts(name)

    def where(self, **wanted: Wanted) -> "Rows[Row_co]":
        """The rows whose columns have the value that is asked for, or one of those."""
        if not wanted:
            return self
        if not all(map(_listed, wanted.values())):
            return Rows.of(self._name, ())
        if self.stored and self._held is None:
            found = self.stored.read(None, {n: _listed(values) for n, values in wanted.items()})
            return in_order(self._name, found.columns, self.stored.by)
        return Rows(self._name, self._table, self._fitting(wanted))

    def only(self, chosen: Sequence[bool]) -> "Rows[Row_co]":
        """The rows at whose place `chosen` is true."""
        return Rows(self._name, self.arrow(), pa.array(chosen, pa.bool_()))

    def plus(self, name: str, amount: int) -> "Rows[Row_co]":
        """The same with a column of integers moved by so much; null stays null."""
        place = self._table.column_names.index(name)
        moved = pc.add(self._table.column(name), pa.scalar(amount, pa.int64()))
        table = self._table.set_column(place, self._table.field(name), moved)
        return Rows(self._name, table, self._chosen)

    def fingerprints(self, part_of: Callable[[int, int], int], parts: int) -> list[str]:
        """What evidence/fingerprint.py says of the same rows, of intents or of repayments: of each
        part by itself, where `part_of` an intent and `parts` is 0 to parts - 1."""
        table = in_order(self._name, self.arrow().columns, ("intent",)).arrow()
        digests = [hashlib.sha256() for _ in range(parts)]
        for start in range(0, len(table), AT_ONCE):
            piece = table.slice(start, AT_ONCE)
            intents: list[Any] = piece.column("intent").to_pylist()
            theirs = pa.array(map(part_of, intents, repeat(parts)), pa.int64())
            lines = json_lines(piece)
            for part, digest in enumerate(digests):
                mine = lines.filter(pc.equal(theirs, pa.scalar(part, pa.int64())))
                digest.update(mine.buffers()[2])
        return [digest.hexdigest() for digest in digests]


def in_order(name: str, columns: list[Any], by: Sequence[str] = ()) -> Rows[Any]:
    """Rows of the table of this name by these columns, or by all if none is named; null comes last.
    What is the same in them stays in the order in which it is.

    `columns`, in the order of columns.py, is used up: each is put in order in the memory of the one
    before. As one piece first, out of which Arrow takes five times as fast as out of many.
    """
    schema = kept_schema(name)
    table = pa.Table.from_arrays(columns, schema=schema).select(list(by or schema.names))
    # Arrow does not order by dictionaries.
    keys = table.cast(pa.schema([TABLES[name].field(key) for key in table.column_names]))
    del table
    places = pc.sort_indices(keys, sort_keys=[(key, "ascending") for key in keys.column_names])
    del keys
    if not _rises(places):
        for number, column in enumerate(columns):
            columns[number] = column.combine_chunks().take(places)
    return Rows(name, pa.Table.from_arrays(columns, schema=schema))


def _rises(places: Any) -> bool:
    """Is each after the one before, so that nothing changes its place?"""
    return len(places) < 2 or bool(pc.all(pc.less(places[:-1], places[1:])).as_py())


def _values(chunk: Any) -> Iterator[list[Any]]:
    """A column's values, many at a time. Rows share their words."""
    if not isinstance(chunk, pa.DictionaryArray):
        for start in range(0, len(chunk), AT_ONCE):
            yield chunk.slice(start, AT_ONCE).to_pylist()
        return
    words = [*chunk.dictionary.to_pylist(), None]
    numbers: Any = chunk.indices.fill_null(len(words) - 1)
    for start in range(0, len(chunk), AT_ONCE):
        yield [words[number] for number in numbers.slice(start, AT_ONCE).to_pylist()]


def _listed(wanted: Wanted) -> list[Any]:
    return [wanted] if isinstance(wanted, str | int) else list(wanted)


def _is_in(column: Any, wanted: Wanted) -> Any:
    kind = pa.string() if column.type == WORDS else column.type
    return pc.is_in(column, value_set=pa.array(_listed(wanted), kind))
