"""What the controller and the load's master say to each other, by a file and by lines on stdout."""

import json
import time
from pathlib import Path
from typing import Any

from harness.load.master import Master

PROGRESS_S = 0.5


def say(**facts: Any) -> None:
    """One line of JSON for the controller."""
    print(json.dumps({"at_ns": time.monotonic_ns(), **facts}), flush=True)


class Desk:
    """The controller's word: orders come from a file in the run's work folder, what happens is said
    on stdout, so that the controller needs nothing but the run directory."""

    def __init__(self, master: Master, command_json: Path) -> None:
        self._master = master
        self._command_json = command_json
        self._ready = False
        self._said_s = 0.0

    def look(self) -> None:
        """Called often."""
        try:
            command: dict[str, Any] = json.loads(self._command_json.read_text())
        except FileNotFoundError:
            command = {}
        for order in ("fire", "stop", "give_up"):
            if order in command:
                self._master.order(order, command[order])
        for worker, how in command.get("gone", {}).items():
            self._master.gone(worker, how)
        if self._master.ready and not self._ready:
            self._ready = True
            say(ready=True)
        counts = self._master.counts()
        if counts and time.monotonic() - self._said_s >= PROGRESS_S:
            self._said_s = time.monotonic()
            say(progress=counts, lost=self._master.lost)
