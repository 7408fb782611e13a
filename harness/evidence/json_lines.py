"""Rows in columns as lines of JSON, the same bytes as json.dumps makes of each row. Pure."""

import json
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What JSON in ASCII writes otherwise than as it is.
ESCAPED = r"[^ !#-\[\]-~]"


def json_lines(table: pa.Table) -> Any:
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
