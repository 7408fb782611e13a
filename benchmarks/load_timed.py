"""A load worker whose recording is timed: `python -m benchmarks.load_timed PLAN worker-N`.

Recording is what the courier does: it keeps rows, makes chunks of them and hands them out; putting
them on the channel is Locust's, may switch greenlets and is not in it. Around every call into it
the thread's CPU clock is read, twice; what the reading itself costs is thus counted as recording.
Two runs, one of them with a recorder that keeps nothing, would differ by about as much as two runs
of the same kind do on a shared machine. At the end RUN/recording.WORKER.json has the CPU seconds
of recording and of the whole process since t = 0.
"""

# First, because it patches the process: nothing that uses sockets may be imported before it.
from harness.load import locustfile  # isort: skip

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.load.courier import Courier
from harness.load.plan import LoadPlan
from harness.load.worker import Worker

# What a worker records through. None of them may switch to another greenlet: the clock is the
# thread's, and would count what that one does.
RECORDING: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Courier, ("keep", "flush", "hear", "turn", "close")),
)


class Timed:
    """CPU of the calls that are wrapped; a call inside another is counted once."""

    def __init__(self) -> None:
        self.used_ns = 0
        self.calls = 0
        self._inside = False

    def wrap(self, made: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        def timed(*args: Any, **named: Any) -> Any:
            if self._inside:
                return made(*args, **named)
            self._inside = True
            began_ns = time.thread_time_ns()
            try:
                return made(*args, **named)
            finally:
                self.used_ns += time.thread_time_ns() - began_ns
                self.calls += 1
                self._inside = False

        return timed


def main() -> int:
    recording = Timed()
    for kind, names in RECORDING:
        for name in names:
            setattr(kind, name, recording.wrap(getattr(kind, name)))
    run = Worker.run

    def noted(self: Worker, *args: Any) -> None:
        began_s = time.process_time()
        run(self, *args)
        whole_s = time.process_time() - began_s
        found = {"recording_s": recording.used_ns / 1e9, "whole_s": whole_s,
                 "calls": recording.calls}  # fmt: skip
        folder = Path(LoadPlan.read(Path(sys.argv[1])).run)
        (folder / f"recording.{sys.argv[2]}.json").write_text(json.dumps(found))

    Worker.run = noted  # type: ignore[method-assign, assignment]
    return locustfile.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
