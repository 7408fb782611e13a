"""Tables that a user gives, in Parquet."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_columns(data: bytes) -> Mapping[str, list[object]]:
    """Every column as plain values. Raises ValueError for what is no readable Parquet file."""
    try:
        # No thread of Arrow's may still hold the bytes when the interpreter goes: it would abort.
        table = pq.read_table(pa.BufferReader(data), use_threads=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as exc:
        raise ValueError(str(exc).splitlines()[0][:200]) from exc
    return {name: table.column(name).to_pylist() for name in dict.fromkeys(table.column_names)}
