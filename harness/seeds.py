"""One root seed, many named streams: a new consumer never shifts the draws of another."""

import hashlib
import random


def stream_seed(root: int, name: str) -> int:
    """The 64-bit seed of the stream `name` under `root`."""
    return int.from_bytes(hashlib.sha256(f"{root}/{name}".encode()).digest()[:8], "big")


def stream(root: int, name: str) -> random.Random:
    """A generator that depends on (root, name) and nothing else."""
    return random.Random(stream_seed(root, name))


def draw_key(root: int, intent: int) -> str:
    """The idempotency key of an intent, the same for all its attempts (32 hex digits)."""
    return hashlib.sha256(f"{root}/draw/{intent}".encode()).hexdigest()[:32]


def repay_key(root: int, intent: int) -> str:
    """The idempotency key of the repayment that follows an intent (32 hex digits)."""
    return hashlib.sha256(f"{root}/repay/{intent}".encode()).hexdigest()[:32]
