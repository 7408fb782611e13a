"""One root seed, many named streams: a new consumer never shifts the draws of another."""

import hashlib
from random import Random


def stream_seed(root: int, name: str) -> int:
    """The 64-bit seed of the stream `name` under `root`."""
    return int.from_bytes(hashlib.sha256(f"{root}/{name}".encode()).digest()[:8], "big")


def stream(root: int, name: str) -> Random:
    """A generator that depends on (root, name) and nothing else."""
    return Random(stream_seed(root, name))


def draw_key(root: int, intent: int) -> str:
    """The idempotency key of an intent, the same for all its attempts (32 hex digits)."""
    return hashlib.sha256(f"{root}/draw/{intent}".encode()).hexdigest()[:32]


def repay_key(root: int, intent: int) -> str:
    """The idempotency key of the repayment that follows an intent (32 hex digits)."""
    return hashlib.sha256(f"{root}/repay/{intent}".encode()).hexdigest()[:32]


class Dice:
    """A stream that is made when it is first thrown: seeding one costs as much as a request's JSON,
    and most borrowers of a run without trouble never need theirs."""

    def __init__(self, root: int, name: str) -> None:
        self._root, self._name = root, name
        self._made: Random | None = None

    def random(self) -> float:
        """In [0, 1)."""
        return self._stream.random()

    def uniform(self, low: float, high: float) -> float:
        """In [low, high]."""
        return self._stream.uniform(low, high)

    @property
    def _stream(self) -> Random:
        if self._made is None:
            self._made = stream(self._root, self._name)
        return self._made
