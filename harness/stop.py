"""`drawproof stop RUN`: a running drill heals, offers no more load, drains, and ends."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError, Problem, ScenarioError, no_run_directory
from harness.guardian.audit_log import AuditLog
from harness.running import controller
from harness.stopping import REQUEST

LOOK_S = 0.1


def stop(run: Path, within_s: float) -> Iterator[str]:
    """Ask, and wait until its controller has ended; says what it waits for, a line each.

    Raises ScenarioError when nobody runs it, HarnessError when it has not ended in time.
    """
    if not (run / "run.json").exists():
        raise no_run_directory(run)
    pid = controller(run)
    if pid is None:
        found = f"{str(run)!r}, which nobody runs any more"
        allowed = "the directory of a drill under way; `drawproof heal RUN` is for a dead one"
        raise ScenarioError((Problem("the command line", 0, "RUN", found, allowed),))
    who = f"drawproof stop (uid {os.getuid()}, pid {os.getpid()})"
    AuditLog(run, "stop").note("stop", "", "asked", more={"pid": pid})
    partial = run / f"{REQUEST}.partial"
    partial.write_text(who + "\n")
    os.replace(partial, run / REQUEST)
    yield f"asked pid {pid} to stop: it heals, offers no more load, and drains"
    give_up_s = time.monotonic() + within_s
    while controller(run) is not None:
        if time.monotonic() > give_up_s:
            raise HarnessError(f"pid {pid} was asked to stop and has not ended in {within_s:g} s")
        time.sleep(LOOK_S)
    yield "it has ended"
