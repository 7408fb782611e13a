"""One share's chunks as they arrive at the master: each written once, in order, or missed aloud.

The streams of a share lie in the run directory as `TABLE.share-N.arrows`. A chunk is acknowledged
when the kernel has it: a killed process loses nothing then. The files are flushed to the disk when
the share is closed, before any manifest calls it complete; not at each chunk, because the lender
may commit to the same disk, and is what is measured.
"""

import os
from collections import Counter
from pathlib import Path

from harness.errors import HarnessError
from harness.evidence.chunks import TAIL, head
from harness.evidence.columns import PLACES, WORKER_TABLES
from harness.evidence.manifest import Closing
from harness.evidence.outbox import Chunk


class Inbox:
    """`next_seq` is the number of the first chunk that has not arrived. Raises HarnessError when
    the disk refuses."""

    def __init__(self, run: Path, share: int) -> None:
        self._files = {}
        self.next_seq = 0
        self.rows: Counter[str] = Counter()
        self.seconds: list[int] = []
        for table in WORKER_TABLES:
            path = run / f"{PLACES[table]}.share-{share + 1}.arrows"
            try:
                self._files[table] = path.open("wb", buffering=0)
            except OSError as exc:
                raise HarnessError(f"{path} can't be written: {exc}") from exc
            self._write(table, head(table))

    def _write(self, table: str, data: bytes) -> None:
        file = self._files[table]
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
        except OSError as exc:
            raise HarnessError(f"{file.name} can't be written: {exc}") from exc

    def take(self, chunk: Chunk) -> None:
        """Write it if it is the next. What was here already, or comes before its turn and so will
        come again, or comes when all is closed, changes nothing."""
        if chunk.seq != self.next_seq or chunk.stream not in self._files:
            return
        self._write(chunk.stream, chunk.data)
        self.next_seq += 1
        self.rows[chunk.stream] += chunk.rows
        if chunk.stream == "generator":
            self.seconds = [
                min([chunk.second, *self.seconds]), max([chunk.second, *self.seconds])
            ]  # fmt: skip

    def missing(self, closing: Closing) -> str:
        """What the worker has seen and is not here, in words; empty when all is."""
        if self.next_seq != closing.chunks or dict(self.rows) != dict(closing.rows):
            return f"{self.next_seq} of {closing.chunks} chunks arrived"
        if closing.lost:
            lost = ", ".join(f"{count} of {table}" for table, count in closing.lost.items())
            return f"the worker had no room for rows that were not acknowledged: {lost}"
        return ""

    def close(self, *, whole: bool) -> None:
        """Flush to the disk. A stream that is not whole stays without its end, and reads as cut."""
        for table, file in self._files.items():
            if whole:
                self._write(table, TAIL)
            try:
                os.fsync(file.fileno())
                file.close()
            except OSError as exc:
                raise HarnessError(f"{file.name} can't be written: {exc}") from exc
        self._files.clear()
