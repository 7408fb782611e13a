"""Rows that are kept as typed columns: small, quick to look at whole, and rows only when asked for.

A row of `attempts` as a NamedTuple is a kilobyte or so, and a million of them take seconds to make;
in columns it is a hundred bytes. So whoever looks at all rows asks for the columns it needs, and
whoever needs rows makes them of the few that it needs:

    attempts.counts("outcome")
    for intent, done_ns in attempts.where(kind="press").columns("intent", "done_ns"): ...
    for attempt in attempts.where(intent=broken): ...
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, TypeVar, overload

import pyarrow as pa
import pyarrow.compute as pc

from harness.evidence.columns import TABLES
from harness.evidence.rows import ROWS

Row_co = TypeVar("Row_co", covariant=True)
Wanted = str | int | Collection[str] | Collection[int]

# Values that are turned into Python's own at a time: looking at a whole column keeps none of it.
AT_ONCE = 1 << 15
# Strings that stand in many rows are kept once; of keys and accounts nearly every row has its own.
WORDS = pa.dictionary(pa.int32(), pa.string())
# What JSON in ASCII writes otherwise than as it is.
ESCAPED = r"[^ !#-\[\]-~]"


def kept_schema(table: str) -> pa.Schema:
    """The table's columns with the types that they are kept in."""
    return pa.schema([(one.name, _kept_as(one)) for one in TABLES[table]])


def word_columns(table: str) -> list[str]:
    """The columns of the table in which few strings stand in many rows."""
    return [one.name for one in kept_schema(table) if one.type == WORDS]


def _kept_as(field: Any) -> pa.DataType:
    own = field.name.endswith("_key") or field.name == "account"
    return WORDS if field.type == pa.string() and not own else field.type


class Rows(Sequence[Row_co]):
    """Rows of one table; nothing in them ever changes. Columns have the names of columns.py.

    A row is a NamedTuple of rows.py, made anew each time it is looked at: `==` says whether two are
    the same, `is` does not.
    """

    __slots__ = ("_chosen", "_name", "_table")

    def __init__(self, name: str, table: pa.Table, chosen: Any = None) -> None:
        """A table of this name, its columns those of columns.py; of its rows those at whose place
        `chosen`, a boolean each, is true."""
        self._name = name
        self._table = table.cast(kept_schema(name))
        self._chosen = chosen

    @classmethod
    def of(cls, name: str, rows: Iterable[Iterable[object]]) -> "Rows[Any]":
        """Plain rows of the table of this name, as they come."""
        columns = list(zip(*rows, strict=True)) or [()] * len(TABLES[name])
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, TABLES[name], strict=True)
        ]
        return Rows(name, pa.Table.from_arrays(arrays, schema=TABLES[name]))

    def __len__(self) -> int:
        return self._table.num_rows if self._chosen is None else pc.sum(self._chosen).as_py() or 0

    def __iter__(self) -> Iterator[Row_co]:
        return map(ROWS[self._name]._make, self.columns(*self._table.column_names))

    @overload
    def __getitem__(self, index: int) -> Row_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows[Row_co]": ...
    def __getitem__(self, index: int | slice) -> "Row_co | Rows[Row_co]":
        places = range(len(self))[index]
        if isinstance(places, int):
            return next(iter(Rows(self._name, self._whole().slice(places, 1))))
        return Rows(self._name, self._whole().take(pa.array(places, pa.int64())))

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self._name}>"

    def column(self, name: str) -> Iterator[Any]:
        """The values of a column, in order; None for null."""
        return chain.from_iterable(
            piece for chunk in self._column(name).chunks for piece in _values(chunk)
        )

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The values of these columns, row by row."""
        return zip(*map(self.column, names), strict=True)

    def counts(self, name: str) -> Counter[Any]:
        """How often a column has each of its values; None for null."""
        found = pc.value_counts(self._column(name))
        return Counter(dict(zip(*(part.to_pylist() for part in found.flatten()), strict=True)))

    def where(self, **wanted: Wanted) -> "Rows[Row_co]":
        """The rows whose columns have the value that is asked for, or one of those."""
        chosen = self._chosen
        for name, values in wanted.items():
            chosen = _both(chosen, _is_in(self._table.column(name), values))
        return Rows(self._name, self._table, chosen)

    def lasting(self, least_ns: int) -> "Rows[Row_co]":
        """Of calls, those that took so long or longer, and those that never ended."""
        start_ns, done_ns = self._table.column("start_ns"), self._table.column("done_ns")
        took: Any = pc.subtract(done_ns, start_ns)
        long: Any = pc.greater_equal(took, pa.scalar(least_ns, pa.int64()))
        fit = pc.or_(long.fill_null(False), pc.is_null(done_ns))
        return Rows(self._name, self._table, _both(self._chosen, fit))

    def only(self, chosen: Sequence[bool]) -> "Rows[Row_co]":
        """The rows at whose place `chosen` is true."""
        return Rows(self._name, self._whole(), pa.array(chosen, pa.bool_()))

    def plus(self, name: str, amount: int) -> "Rows[Row_co]":
        """The same with a column of integers moved by so much; null stays null."""
        place = self._table.column_names.index(name)
        moved = pc.add(self._table.column(name), pa.scalar(amount, pa.int64()))
        table = self._table.set_column(place, self._table.field(name), moved)
        return Rows(self._name, table, self._chosen)

    def fingerprints(self, part_of: Callable[[int, int], int], parts: int) -> list[str]:
        """What evidence/fingerprint.py says of the same rows, of intents or of repayments: of each
        part by itself, where `part_of` an intent and `parts` is 0 to parts - 1."""
        table = in_order(self._name, self._whole().columns, ("intent",))._table
        digests = [hashlib.sha256() for _ in range(parts)]
        for start in range(0, len(table), AT_ONCE):
            piece = table.slice(start, AT_ONCE)
            intents: list[Any] = piece.column("intent").to_pylist()
            theirs = pa.array(map(part_of, intents, repeat(parts)), pa.int64())
            lines = _json_lines(piece)
            for part, digest in enumerate(digests):
                mine = lines.filter(pc.equal(theirs, pa.scalar(part, pa.int64())))
                digest.update(mine.buffers()[2])
        return [digest.hexdigest() for digest in digests]

    def _column(self, name: str) -> Any:
        column = self._table.column(name)
        return column if self._chosen is None else column.filter(self._chosen)

    def _whole(self) -> pa.Table:
        return self._table if self._chosen is None else self._table.filter(self._chosen)


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


def _both(chosen: Any, fit: Any) -> Any:
    return fit if chosen is None else pc.and_(chosen, fit)


def _is_in(column: Any, wanted: Wanted) -> Any:
    values = [wanted] if isinstance(wanted, str | int) else list(wanted)
    kind = pa.string() if column.type == WORDS else column.type
    return pc.is_in(column, value_set=pa.array(values, kind))


def _json_lines(table: pa.Table) -> Any:
    """Each row a JSON array without spaces, ASCII only, and a line feed."""
    last = table.num_columns - 1
    cells = [
        _json(column, "," if number else "[", "" if number < last else "]\n")
        for number, column in enumerate(table.columns)
    ]
    return pc.binary_join_element_wise(*chain.from_iterable(cells), "")


def _json(column: Any, before: str, after: str) -> list[Any]:
    """What stands in each row for this column, in pieces; integers, booleans or strings."""
    column = column.combine_chunks()
    if column.type == pa.bool_():
        column = column.dictionary_encode()
    if isinstance(column, pa.DictionaryArray):
        words = [f"{before}{json.dumps(word)}{after}" for word in column.dictionary.to_pylist()]
        cells = pa.array(words, pa.string()).take(column.indices)
        return [cells.fill_null(f"{before}null{after}")]
    if column.type != pa.string():
        return [before, column.cast(pa.string()).fill_null("null"), after]
    if column.null_count or pc.any(pc.match_substring_regex(column, ESCAPED)).as_py():
        plain = [json.dumps(value) for value in column.to_pylist()]
        return [before, pa.array(plain, pa.string()), after]
    return [f'{before}"', column, f'"{after}']
