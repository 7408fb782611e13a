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
    """All whole batches of the parts; columns that are younger than the run are null."""
    schema = TABLES[table].with_metadata(_metadata())
    batches = [_aligned(batch, schema) for part in parts for batch in _batches(part)[0]]
    return pa.Table.from_batches(batches, schema=schema)


def _aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    known = set(batch.schema.names)
    arrays = [
        batch.column(field.name) if field.name in known else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


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
    """On the disk when this returns. Raises OSError.

    Times are written as differences, which halves an attempt (27 to 14 bytes).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    times = [name for name in table.schema.names if name.endswith("_ns")]
    try:
        pq.write_table(
            table.replace_schema_metadata(_metadata()),
            partial,
            compression="zstd",
            # A list is right, as its documentation says; the stubs know a switch only.
            use_dictionary=[n for n in table.schema.names if n not in times],  # type: ignore[arg-type]
            column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        )
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
