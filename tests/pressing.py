"""Borrowers who press without a pause, each draw with its own key, and remember the answers."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lender_process import BORROWERS, Lender

GATEWAYS = ("gateway-1", "gateway-2")
FIRST_BORROWER = 10  # those before have flags


class Pressing:
    """What was answered so far: status by key, 0 for no answer."""

    def __init__(self, made: Lender) -> None:
        self._made = made
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self.answers: dict[str, int] = {}
        self.threads: list[threading.Thread] = []

    @property
    def granted(self) -> int:
        return Counter(self.answers.values())[201]

    @property
    def acknowledged(self) -> set[str]:
        return {key for key, status in self.answers.items() if status == 201}

    def press(self) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            key = f"pressed-{number:06d}"
            borrower = FIRST_BORROWER + number % (BORROWERS - FIRST_BORROWER)
            body = {"borrower": borrower, "amount_fen": 100, "purpose": "education"}
            try:
                status, _ = self._made.ask(
                    "POST", "/v1/draws", body,
                    {"Idempotency-Key": key, "X-Deadline-Ms": "3000"},
                    gateway=GATEWAYS[number % 2],
                )  # fmt: skip
            except OSError:
                status = 0
            self.answers[key] = status

    def stop(self) -> None:
        self._stop.set()
        for thread in self.threads:
            thread.join(20)


@contextmanager
def pressing(made: Lender, threads: int = 4) -> Iterator[Pressing]:
    """Pressing for the length of a block; afterwards all answers are in."""
    press = Pressing(made)
    press.threads = [threading.Thread(target=press.press, daemon=True) for _ in range(threads)]
    for thread in press.threads:
        thread.start()
    try:
        yield press
    finally:
        press.stop()
