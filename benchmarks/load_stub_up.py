"""Starts the stub in a process of its own, and reads its log when it has ended."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.load_stub import Settings
from benchmarks.load_truth import Freeze

ROOT = Path(__file__).resolve().parent.parent
WITHIN_S = 20.0


class StubUp:
    """A running stub; `stop` ends it and reads its log, after which the log may be asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log
        self._read: dict[str, Any] = {}

    def stop(self) -> None:
        """Raises SystemExit when it had died before, or does not end."""
        if self._read:
            return
        self.process.terminate()
        if self.process.wait(WITHIN_S) != 0:
            raise SystemExit("the stub died; its words are above")
        self._read = json.loads(self._log.read_text())

    def arrived_between(self, from_ns: int, to_ns: int) -> int:
        """How many draws came in a span."""
        return sum(from_ns <= at_ns < to_ns for at_ns in self._read["arrivals_ns"])

    def freezes(self) -> list[Freeze]:
        """The freezes that are over, in order."""
        return [Freeze(**one) for one in self._read["freezes"]]

    def served(self) -> dict[str, tuple[int, int, int]]:
        """(arrived, began, ended) by key."""
        return {key: (arrived, began, ended) for key, arrived, began, ended in self._read["served"]}

    def draws(self) -> list[tuple[str, dict[str, Any]]]:
        """(key, body) of each draw, in the order they came."""
        return [(key, body) for key, body in self._read["draws"]]


@contextmanager
def stub_up(folder: Path, mode: str, **settings: Any) -> Iterator[StubUp]:
    """A stub that takes requests; it has ended when this is left."""
    log = folder / f"stub-{mode}.json"
    told = folder / f"stub-{mode}-settings.json"
    told.write_text(json.dumps(asdict(Settings(mode=mode, log=str(log), **settings))))
    argv = [sys.executable, "-m", "benchmarks.load_stub", str(told)]
    ours, theirs = os.pipe()
    process = subprocess.Popen(argv, cwd=ROOT, stdout=theirs)
    os.close(theirs)
    try:
        if not select.select([ours], [], [], WITHIN_S)[0]:
            raise SystemExit(f"the stub said nothing within {WITHIN_S:g} s")
        port = int(os.read(ours, 16) or 0)
        if not port:
            raise SystemExit("the stub ended at once; its words are above")
        yield StubUp(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
