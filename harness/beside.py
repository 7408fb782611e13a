"""A thread of the controller that watches something beside a drill, and writes it down."""

import threading
from abc import ABC, abstractmethod

# Longer than what any of them waits for at its worst; beyond it the table is visibly cut.
LEAVE_S = 5.0


class Beside(ABC):
    """Runs `_run` on a thread of that name between `start` and `stop`; `_run` ends soon after
    `_over` is set."""

    def __init__(self, name: str) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the table; leaves it cut where something keeps the thread waiting."""
        self._over.set()
        self._thread.join(LEAVE_S)

    @abstractmethod
    def _run(self) -> None: ...
