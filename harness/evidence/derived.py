"""Tables that are made while judging, not read: from plain rows, or from others side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KINDS: Mapping[str, Any] = {
    "int64": pa.int64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "strings": pa.list_(pa.string()),
}
BLANK: Mapping[str, object] = {"bool": True, "strings": []}


def arrow_table(rows: Sequence[Sequence[object]], schema: Mapping[str, str]) -> pa.Table:
    """Plain rows as a table whose columns have these Arrow types by name, as `int64`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    fields = pa.schema([(name, _type(kind)) for name, kind in schema.items()])
    arrays = [pa.array(one, field.type) for one, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=fields)


def coded(table: pa.Table, name: str, words: Sequence[str]) -> pa.Table:
    """The table with a column of numbers put into these words."""
    numbers = table.column(name).cast(pa.int32()).combine_chunks()
    told = pa.DictionaryArray.from_arrays(numbers, pa.array(words, pa.string()))
    return table.set_column(table.column_names.index(name), name, told)


def beside(left: pa.Table, right: pa.Table, empty: Mapping[str, str]) -> pa.Table:
    """Two tables of as many rows as one, and blank columns: null, true, or an empty list."""
    for name in right.column_names:
        left = left.append_column(name, right.column(name))
    for name, kind in empty.items():
        blank = pa.array([BLANK.get(kind)], _type(kind))
        left = left.append_column(name, blank.take(pa.repeat(pa.scalar(0), len(left))))
    return left


def filled(whole: pa.Table, some: pa.Table, key: str, columns: Mapping[str, str]) -> pa.Table:
    """The table with these columns from another one, which has some of its keys; else blank."""
    places = pc.index_in(whole.column(key), value_set=some.column(key).combine_chunks())
    for name, kind in columns.items():
        column = some.column(name).combine_chunks().cast(_type(kind))
        # What is not there takes the blank one after the last.
        column = pa.concat_arrays([column, pa.array([BLANK.get(kind)], _type(kind))])
        found = column.take(places.fill_null(len(some)))
        whole = whole.set_column(whole.column_names.index(name), name, found)
    return whole


def _type(kind: str) -> Any:
    return KINDS[kind]
