"""Tables of a run directory on the disk: streams, Parquet, and the lender's CSV."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from harness.evidence.columns import PLACES, SCHEMA_VERSION, TABLES

Rows = list[tuple[object, ...]]


def streams(run: Path, table: str) -> list[Path]:
    """The parts of a table that lie as streams, in order of name."""
    place = run / PLACES[table]
    return sorted(place.parent.glob(f"{place.name}.*.arrows"))


def _batches(path: Path) -> tuple[list[pa.RecordBatch], bool]:
    """The whole batches of a stream, and whether it came to its own end."""
    found: list[pa.RecordBatch] = []
    data = path.read_bytes()
    try:
        with pa.ipc.open_stream(io.BytesIO(data)) as reader:
            while True:
                try:
                    found.append(reader.read_next_batch())
                except StopIteration:
                    break
    except (pa.ArrowInvalid, OSError):
        return found, False
    # A reader takes the end of the file for the end of the stream; only the marker is one.
    return found, data.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")


def whole(path: Path) -> bool:
    """Did the stream come to its own end?"""
    return _batches(path)[1]


def read_streams(table: str, parts: Sequence[Path]) -> pa.Table:
    """All whole batches of the parts; columns that an older schema lacks are null."""
    schema = TABLES[table]
    batches = [batch for part in parts for batch in _batches(part)[0]]
    found = [schema.empty_table(), *(pa.Table.from_batches([batch]) for batch in batches)]
    whole_table = pa.concat_tables(found, promote_options="default").select(schema.names)
    return whole_table.replace_schema_metadata(_metadata())


def read_csv(table: str, files: Sequence[Path]) -> pa.Table:
    """CSV files with a header; a last line without its end was cut and is left out."""
    schema = TABLES[table]
    convert = pacsv.ConvertOptions(
        column_types=schema,
        include_columns=schema.names,
        null_values=[""],
        strings_can_be_null=True,
        true_values=["1", "t", "true"],
        false_values=["0", "f", "false"],
    )
    found = [schema.empty_table()]
    for file in files:
        data = file.read_bytes()
        data = data[: data.rfind(b"\n") + 1]
        if data.count(b"\n") > 1:
            found.append(pacsv.read_csv(io.BytesIO(data), convert_options=convert).cast(schema))
    return pa.concat_tables(found)


def write_parquet(path: Path, table: pa.Table) -> None:
    """On the disk when this returns. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        pq.write_table(table.replace_schema_metadata(_metadata()), partial, compression="zstd")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_rows(run: Path, table: str) -> tuple[Rows, bool, bool]:
    """(rows, missing, cut) of a table, in the order of its columns.

    Parquet when it is there, else streams. Raises OSError for a file that can't be read.
    """
    parquet = run / f"{PLACES[table]}.parquet"
    parts = streams(run, table)
    if parquet.exists():
        try:
            found = pq.read_table(parquet, schema=TABLES[table])
        except pa.ArrowInvalid:
            return [], False, True
        return _rows(found), False, False
    if not parts:
        return [], True, False
    cut = not all(whole(part) for part in parts)
    return _rows(read_streams(table, parts)), False, cut


def _rows(found: pa.Table) -> Rows:
    columns = [column.to_pylist() for column in found.columns]
    return list(zip(*columns, strict=True)) if columns else []


def _metadata() -> dict[str, str]:
    return {"schema": str(SCHEMA_VERSION)}
