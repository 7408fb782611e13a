"""What a worker has seen and the master has not yet: kept, sent, sent again, until acknowledged.

Pure: time comes in as a number, chunks go out as values. Chunks of a share are numbered from 0
over all its streams, and acknowledged by the number of the first one that has not arrived. While
nothing comes back only the oldest is sent again, as a probe, so that a cut link finds no queue; as
soon as it is acknowledged everything after it goes again. Who keeps them drops what it knows.

At BYTES_MAX the newest rows are lost, and counted. They are not spilled to the worker's disk: that
would hold up the very process whose punctuality is measured; and the run of a worker whose master
is silent ends long before (a million attempts fit).
"""

from collections import Counter, deque
from dataclasses import dataclass

BYTES_MAX = 32 * 2**20
WINDOW = 32
RESEND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """`rows` rows of `stream` as Arrow bytes; the last belongs to `second` from t = 0."""

    share: int
    seq: int
    stream: str
    rows: int
    second: int
    data: bytes


class Outbox:
    """One share's chunks."""

    def __init__(self, share: int, bytes_max: int = BYTES_MAX) -> None:
        self._share = share
        self._bytes_max = bytes_max
        self._kept: deque[Chunk] = deque()
        self._bytes = 0
        self._sent = 0
        self._heard_ns = 0
        self._probing = False
        self.chunks = 0
        self.rows: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.lost_s: list[int] = []

    def put(self, stream: str, rows: int, second: int, data: bytes) -> None:
        """Keep it until it is acknowledged; or count its rows as lost when there is no room."""
        if self._bytes + len(data) > self._bytes_max:
            self.lost[stream] += rows
            self.lost_s = [min([second, *self.lost_s]), max([second, *self.lost_s])]
            return
        self._kept.append(Chunk(self._share, self.chunks, stream, rows, second, data))
        self._bytes += len(data)
        self.chunks += 1
        self.rows[stream] += rows

    def due(self, now_ns: int) -> list[Chunk]:
        """What to send now."""
        if self._sent and now_ns - self._heard_ns >= RESEND_NS:
            self._probing, self._heard_ns = True, now_ns
            return [self._kept[0]]
        if self._probing:
            return []
        found = [self._kept[place] for place in range(self._sent, min(WINDOW, len(self._kept)))]
        if found and not self._sent:
            self._heard_ns = now_ns
        self._sent += len(found)
        return found

    def acknowledged(self, next_seq: int, now_ns: int) -> None:
        """Everything before `next_seq` has arrived. What was known already changes nothing."""
        if not self._kept or next_seq <= self._kept[0].seq:
            return
        while self._kept and self._kept[0].seq < next_seq:
            self._bytes -= len(self._kept.popleft().data)
            self._sent = max(0, self._sent - 1)
        self._heard_ns = now_ns
        if self._probing:
            self._probing, self._sent = False, 0

    @property
    def empty(self) -> bool:
        """Has everything arrived that was not lost?"""
        return not self._kept
