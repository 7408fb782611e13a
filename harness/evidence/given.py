"""Tables that a user gives, in Parquet."""

from collections.abc import Mapping
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_columns(data: bytes) -> Mapping[str, list[object]]:
    """Every column as plain values. Raises ValueError for what is no readable Parquet file."""
    try:
        table = pq.read_table(BytesIO(data))
    except (pa.ArrowException, OSError) as exc:
        raise ValueError(str(exc).splitlines()[0][:200]) from exc
    return {name: table.column(name).to_pylist() for name in dict.fromkeys(table.column_names)}
