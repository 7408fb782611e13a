"""Tables of a run directory on the disk: streams, Parquet, and the lender's CSV."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from harness.evidence.chunks import TAIL
from harness.evidence.columnar import Rows, Stored, in_order, kept_schema, word_columns
from harness.evidence.columns import PLACES, SCHEMA_VERSION, TABLES
from harness.evidence.query import fitting_rows
from harness.evidence.seal import Seal

# Rows that are handled at a time, and written together. Judging shares out a table by such groups:
# of few large ones, one core is through while the other has a whole one left.
GROUP_ROWS = 1 << 16
# What is asked about again and again is packed so that it is quickly unpacked, for more bytes.
# Attempts, which a worker on another machine may send, stay small.
PACKED: Mapping[str, Literal["zstd"]] = {"attempts": "zstd"}
QUICKLY: Literal["lz4"] = "lz4"
# A batch is so small that sharing it out costs more than it saves.
_READING = pa.ipc.IpcReadOptions(use_threads=False)
UNSEALED = Seal(sealed=False)
# What Arrow says of bytes that are not what it wrote.
SPOILT = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


class CutShort(Exception):
    """A stream has broken off before its own end."""


def streams(run: Path, table: str) -> list[Path]:
    """The parts of a table that lie as streams, in order of name."""
    place = run / PLACES[table]
    return sorted(place.parent.glob(f"{place.name}.*.arrows"))


def _pieces(table: str, part: Path) -> Iterator[pa.Table]:
    """The whole batches of a stream, many of them as one table each.

    Raises CutShort after the last of them if the stream did not come to its own end, and OSError
    for a file that can't be opened.
    """
    batches: list[pa.RecordBatch] = []
    rows, whole = 0, False
    with pa.OSFile(str(part), "r") as file:
        try:
            with pa.ipc.open_stream(file, options=_READING) as reader:
                _check_columns(table, reader.schema)
                for batch in reader:
                    batch.validate(full=True)
                    batches.append(batch)
                    rows += len(batch)
                    if rows >= GROUP_ROWS:
                        yield _joined(table, batches)
                        batches, rows = [], 0
            # A reader takes the end of the file for the end of the stream; only the marker is one.
            file.seek(-len(TAIL), os.SEEK_END)
            whole = file.read() == TAIL
        except SPOILT:
            pass
    if batches:
        yield _joined(table, batches)
    if not whole:
        raise CutShort(part)


def _check_columns(table: str, schema: pa.Schema) -> None:
    """Raises ValueError where a column has another name or type than any of the table's: an older
    run may lack some, but none has others."""
    known = {field.name: field.type for field in TABLES[table]}
    for field in schema:
        if known.get(field.name) != field.type:
            raise ValueError(f"{table} has no column {field.name} of {field.type}")


def _joined(table: str, batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """One table of one piece; columns that are younger than the run are null."""
    found = pa.Table.from_batches(batches).combine_chunks()
    columns = [
        found.column(field.name)
        if field.name in found.column_names
        else pa.nulls(len(found), field.type)
        for field in TABLES[table]
    ]
    return pa.Table.from_arrays(columns, schema=TABLES[table])


def compact(run: Path, table: str) -> None:
    """The streams of a table into one Parquet file; they go when it is on the disk.

    Where one was cut all stay as they are: what is missing must stay visible. Raises OSError.
    """
    parts = streams(run, table)
    if not parts:
        return
    pieces = (piece for part in parts for piece in _pieces(table, part))
    try:
        write_parquet(run / f"{PLACES[table]}.parquet", table, pieces)
    except CutShort:
        return
    for part in parts:
        part.unlink()


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


def write_parquet(path: Path, table: str, pieces: Iterable[pa.Table]) -> None:
    """On the disk when this returns; a whole file or none. Raises OSError.

    Times are written as differences, which halves an attempt (27 to 14 bytes).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    schema = TABLES[table].with_metadata({"schema": str(SCHEMA_VERSION)})
    times = [name for name in schema.names if name.endswith("_ns")]
    try:
        with pq.ParquetWriter(
            partial,
            schema,
            compression=PACKED.get(table, QUICKLY),
            # A list is right, as its documentation says; the stubs know a switch only.
            use_dictionary=[n for n in schema.names if n not in times],  # type: ignore[arg-type]
            column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        ) as writer:
            for group in _grouped(pieces):
                writer.write_table(group.replace_schema_metadata(schema.metadata), GROUP_ROWS)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _grouped(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Small pieces together, so that a table of many parts has no more groups than one of one."""
    held: list[pa.Table] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= GROUP_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def read_rows(run: Path, table: str) -> tuple[Rows[Any], bool, bool]:
    """(rows, missing, cut) of a table, in the order in which they were written.

    Parquet when it is there, else streams. Raises OSError for a file that can't be opened.
    """
    found, missing, cut = _read(run, table, frozenset())
    return Rows(table, found), missing, cut


def read_ordered(
    run: Path, table: str, by: Sequence[str] = (), seal: Seal = UNSEALED
) -> tuple[Rows[Any], bool, bool]:
    """The same in order of these columns, or of all if none is named; null comes last.

    A file that is as it was when it was sealed is read when somebody looks. One that is not is
    never opened: it counts as cut.
    """
    place = f"{PLACES[table]}.parquet"
    if seal.sealed and place not in seal.spoilt and (run / place).exists():
        return Rows(table, None, stored=_stored(run / place, table, by)), False, False
    found, missing, cut = _read(run, table, seal.spoilt)
    columns = found.columns
    del found
    rows = in_order(table, columns, by)
    # A hundred megabytes of a million attempts, which Arrow would keep for what it reads next.
    pa.default_memory_pool().release_unused()
    return rows, missing, cut


def _stored(path: Path, table: str, by: Sequence[str]) -> Stored:
    """A sealed file, of which only the footer is read now."""
    with pq.ParquetFile(path) as file:
        rows, names = file.metadata.num_rows, file.schema_arrow.names

    def read(columns: Sequence[str] | None, wanted: Mapping[str, Sequence[Any]] | None) -> pa.Table:
        if wanted:
            return fitting_rows(table, Rows(table, None, stored=stored), wanted)
        kept = kept_schema(table)
        schema = kept if columns is None else pa.schema([kept.field(one) for one in columns])
        words = [name for name in word_columns(table) if name in schema.names]
        return pq.read_table(path, schema=schema, read_dictionary=words, memory_map=True)

    stored = Stored(path, rows, names, read, by)
    return stored


def _read(run: Path, table: str, spoilt: frozenset[str]) -> tuple[pa.Table, bool, bool]:
    """Whole, and looked through: what nobody has sealed may be anything."""
    parquet = run / f"{PLACES[table]}.parquet"
    parts = streams(run, table)
    schema = kept_schema(table)
    gone = f"{PLACES[table]}.parquet" in spoilt
    if gone or any(part.relative_to(run).as_posix() in spoilt for part in parts):
        return schema.empty_table(), False, True
    if parquet.exists():
        try:
            found = pq.read_table(parquet, schema=schema, read_dictionary=word_columns(table))
            found.validate(full=True)
        except SPOILT:
            return schema.empty_table(), False, True
        return found, False, False
    pieces = [schema.empty_table()]
    cut = False
    for part in parts:
        try:
            for piece in _pieces(table, part):
                pieces.append(piece.cast(schema))
        except CutShort:
            cut = True
    return pa.concat_tables(pieces), not parts, cut
