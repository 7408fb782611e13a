"""Was the disk well while a drill ran? A small write of ours, forced to it again and again.

Everything that the lender promises waits for the disk: where that is held up by somebody else, a
borrower waits as he would for a slow lender. CPU and lag say nothing of it.
"""

import os
import time
from pathlib import Path

from harness.beside import Beside
from harness.errors import HarnessError
from harness.evidence.recorder import StreamWriter

# Whatever holds the disk up for the bound (200 ms) and this is seen, and at 0.4 ms a write a
# hundredth of the disk's time is ours.
BEAT_S = 0.05
FLUSH_BEATS = 10


class DiskBeat(Beside):
    """A thread of the controller that writes table `disk`; `beside` is a file to beat on, on the
    filesystem of the lender's books. A disk that refuses ends it: no beat is no health."""

    def __init__(self, stream: Path, beside: Path) -> None:
        super().__init__("disk-beat")
        self._stream = stream
        self._beside = beside

    def _run(self) -> None:
        try:
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            self._beat(StreamWriter(self._stream, "disk"), descriptor)
        except HarnessError:
            return
        finally:
            os.close(descriptor)

    def _beat(self, writer: StreamWriter, descriptor: int) -> None:
        beats = 0
        while not self._over.wait(BEAT_S):
            began_ns = time.monotonic_ns()
            try:
                os.pwrite(descriptor, began_ns.to_bytes(8), 0)
                os.fsync(descriptor)
            except OSError:
                writer.abandon()
                return
            writer.append((began_ns, time.monotonic_ns() - began_ns))
            beats += 1
            if beats % FLUSH_BEATS == 0:
                writer.flush()
        writer.close()
