"""Writes a table of evidence as an Arrow IPC stream while a drill runs.

A stream that was cut short still gives its whole batches; a Parquet file without its footer gives
nothing. Batches of 100 rows, compressed with zstd, cost about 34 bytes a row.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from harness.errors import HarnessError
from harness.evidence.columns import SCHEMA_VERSION, TABLES

BATCH_ROWS = 100
# Of a table that is known before anything runs: a hundredth of the time to write and to read.
KNOWN_BATCH_ROWS = 10_000


class StreamWriter:
    """Append rows in the order of the table's columns. Raises HarnessError when the disk refuses.

    A batch is written when it has `batch_rows`; `flush` writes what is there as a batch of its own:
    call it twice a second or so.
    """

    def __init__(self, path: Path, table: str, batch_rows: int = BATCH_ROWS) -> None:
        self._schema = TABLES[table].with_metadata({"schema": str(SCHEMA_VERSION)})
        self._rows: list[Sequence[object]] = []
        self._path = path
        self._batch_rows = batch_rows
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as exc:
            raise HarnessError(f"{path} can't be written: {exc}") from exc
        try:
            self._writer = pa.ipc.new_stream(
                self._file, self._schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
            )
        except OSError as exc:
            self.abandon()
            raise HarnessError(f"{path} can't be written: {exc}") from exc

    def append(self, row: Sequence[object]) -> None:
        """One row; written with its batch."""
        self._rows.append(row)
        if len(self._rows) >= self._batch_rows:
            self.flush()

    def flush(self) -> None:
        """Hand what is there to the kernel."""
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(list(values), type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._rows.clear()
        try:
            self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        except OSError as exc:
            self.abandon()
            raise HarnessError(f"{self._path} can't be written: {exc}") from exc

    def abandon(self) -> None:
        """Close the file without marking the stream as whole: it will be read as cut."""
        self._file.close()

    def close(self) -> None:
        """Flush, and mark the stream as whole."""
        self.flush()
        try:
            self._writer.close()
            self._file.close()
        except OSError as exc:
            self.abandon()
            raise HarnessError(f"{self._path} can't be written: {exc}") from exc


def write_rows(path: Path, table: str, rows: Iterable[Sequence[object]]) -> None:
    """A whole table that is known before anything runs."""
    writer = StreamWriter(path, table, KNOWN_BATCH_ROWS)
    for row in rows:
        writer.append(tuple(row))
    writer.close()
