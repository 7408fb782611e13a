"""What a proxied stream may suffer: small values that say when bytes may pass. Pure.

One method a toxic, one more for what makes it special; "no toxic" is a value too. Settings are the
toxic's and shared by all connections; what one connection must remember is in its `Memory`. Toxics
do what Toxiproxy's of the same name do; `stall` is drawproof's own.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

# pass; last: pass, then close the connection; drop; close or reset the connection.
Verb = Literal["pass", "last", "drop", "close", "reset"]
MS = 0.001
US = 0.000_001
# Small enough that a reader sees a stream and not bursts, large enough to be cheap.
PIECE_MS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the first `size` bytes that are held, once `due_s` has come.

    alone: nothing else is written in the same turn of the loop, or the kernel would join them.
    """

    due_s: float
    size: int
    verb: Verb = "pass"
    alone: bool = False


@dataclass(slots=True)
class Memory:
    """What one direction of one connection remembers of one toxic. Times are the loop's, s."""

    began_s: float
    make_dice: Callable[[], random.Random]
    passed_bytes: int = 0
    free_s: float = -math.inf
    heard_s: float | None = None
    sizes: list[int] = field(default_factory=list)
    _dice: random.Random | None = None

    @property
    def dice(self) -> random.Random:
        """This connection's own, made when it is first needed."""
        if self._dice is None:
            self._dice = self.make_dice()
        return self._dice


@dataclass(frozen=True, slots=True)
class Toxic:
    """The identity, which every other one starts from. A link keeps the order of bytes, whatever
    a toxic says."""

    # Are connections that it has acted on of no use without it?
    spoils = False

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        """What becomes of the `size` bytes that came at `came_s`, or of the first of them."""
        return Step(came_s, size)

    def end(self, memory: Memory, came_s: float) -> Step:
        """When the end of the stream, which came at `came_s`, passes after all bytes have."""
        return Step(came_s, 0)

    def closes_s(self, memory: Memory) -> float | None:
        """When it closes the connection if nothing more comes."""
        return None


@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Bytes pass `latency_ms` ± `jitter_ms` (uniform) after they came."""

    latency_ms: int = 0
    jitter_ms: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        delay_ms: float = self.latency_ms
        if self.jitter_ms:
            delay_ms += memory.dice.uniform(-self.jitter_ms, self.jitter_ms)
        return Step(came_s + max(0.0, delay_ms) * MS, size)


@dataclass(frozen=True, slots=True)
class Bandwidth(Toxic):
    """No more than `rate_kb_per_s` (1 KB: 1000 bytes) pass; with 0, nothing does."""

    rate_kb_per_s: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        if self.rate_kb_per_s == 0:
            return Step(math.inf, size)
        piece = min(size, self.rate_kb_per_s * PIECE_MS)
        begins_s = max(memory.free_s, came_s)
        return Step(begins_s + piece / self.rate_kb_per_s * MS, piece)


@dataclass(frozen=True, slots=True)
class SlowClose(Toxic):
    """The end of the stream passes `delay_ms` late."""

    delay_ms: int = 0

    def end(self, memory: Memory, came_s: float) -> Step:
        return Step(came_s + self.delay_ms * MS, 0)


@dataclass(frozen=True, slots=True)
class Timeout(Toxic):
    """Bytes are dropped; the connection is closed after `timeout_ms` without any (0: never), and
    when the toxic is removed, since what was dropped is missing."""

    timeout_ms: int = 0
    spoils = True

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        memory.heard_s = came_s
        return Step(came_s, size, "drop")

    def closes_s(self, memory: Memory) -> float | None:
        if not self.timeout_ms:
            return None
        return max(memory.began_s, memory.heard_s or 0.0) + self.timeout_ms * MS


@dataclass(frozen=True, slots=True)
class ResetPeer(Toxic):
    """The connection is reset `timeout_ms` after its first bytes came, and they are lost."""

    timeout_ms: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        return Step(came_s + self.timeout_ms * MS, size, "reset")

    def end(self, memory: Memory, came_s: float) -> Step:
        return Step(came_s + self.timeout_ms * MS, 0, "reset")


@dataclass(frozen=True, slots=True)
class Slicer(Toxic):
    """Bytes pass in pieces of `average_bytes` ± `variation_bytes`, `delay_us` apart."""

    average_bytes: int = 1
    variation_bytes: int = 0
    delay_us: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        if not memory.sizes:
            memory.sizes = self.sizes(size, memory)
        due_s = max(came_s, memory.free_s + self.delay_us * US)
        return Step(due_s, memory.sizes.pop(), alone=True)

    def sizes(self, size: int, memory: Memory) -> list[int]:
        """Cut in two about the middle until the pieces are small enough: no end of the list has
        smaller ones than the other."""
        whole, cut = [size], []
        while whole:
            size = whole.pop()
            if size - self.average_bytes <= self.variation_bytes:
                cut.append(size)
                continue
            middle = size // 2
            if self.variation_bytes:
                middle += memory.dice.randint(-self.variation_bytes, self.variation_bytes)
            middle = min(max(middle, 1), size - 1)
            whole += [middle, size - middle]
        return cut


@dataclass(frozen=True, slots=True)
class LimitData(Toxic):
    """The connection is closed after `limit_bytes` have passed in this direction."""

    limit_bytes: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        left = self.limit_bytes - memory.passed_bytes
        if left <= 0:
            return Step(came_s, 0, "close")
        return Step(came_s, min(left, size), "last" if left <= size else "pass")


@dataclass(frozen=True, slots=True)
class Stall(Toxic):
    """drawproof's own: nothing passes for `duration_ms` (0: as long as it is there), and nothing is
    lost; as in a cut network that comes back. The other direction is not touched."""

    duration_ms: int = 0

    def step(self, memory: Memory, came_s: float, size: int) -> Step:
        return Step(max(came_s, self._over_s(memory)), size)

    def end(self, memory: Memory, came_s: float) -> Step:
        return Step(max(came_s, self._over_s(memory)), 0)

    def _over_s(self, memory: Memory) -> float:
        return memory.began_s + self.duration_ms * MS if self.duration_ms else math.inf
