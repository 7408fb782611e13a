"""Actions: run a drill, stop one, heal after one. Each is the command `drawproof`, in a process of
its own with a time limit, and returns what it said.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

STOPS_WITHIN_S = 60.0
# Of `run`: held, breached, inconclusive, aborted for safety. A verdict is for probes to judge.
VERDICTS = (0, 1, 3, 4)


def run_drill(
    scenario: str,
    out: str = "runs",
    changes: Mapping[str, str] | None = None,
    profile: str | None = None,
    allow_exec: bool = False,
    timeout_s: float = 900.0,
) -> dict[str, Any]:
    """Run a scenario to its verdict: {"exit_code", "run", "said"}. `OUT/latest` points to the run,
    or to nothing when there is none: no probe takes an earlier drill for this one.

    changes: as `--set`. After `timeout_s` the drill is asked to end, as by Ctrl-C. Raises
    HarnessError when there is no verdict.
    """
    arguments = ["run", scenario, "--out", out]
    for key, value in (changes or {}).items():
        arguments += ["--set", f"{key}={value}"]
    arguments += ["--profile", profile] if profile is not None else []
    arguments += ["--allow-exec"] if allow_exec else []
    latest = Path(out) / "latest"
    if latest.is_symlink():
        latest.unlink()
    code, said = _command(arguments, timeout_s)
    if code not in VERDICTS:
        raise HarnessError(f"drawproof run ended with {code}: {said[-400:]}")
    return {"exit_code": code, "run": str(latest.resolve()), "said": said}


def stop_drill(run: str = "runs/latest", timeout_s: float = 180.0) -> str:
    """`drawproof stop`. Raises HarnessError when nobody runs it, or it does not end."""
    return _must(["stop", str(Path(run).resolve())], timeout_s)


def heal_run(run: str = "runs/latest", timeout_s: float = 60.0) -> str:
    """`drawproof heal`. Raises HarnessError when a fault would not heal."""
    return _must(["heal", str(Path(run).resolve())], timeout_s)


def _must(arguments: Sequence[str], timeout_s: float) -> str:
    code, said = _command(arguments, timeout_s)
    if code != 0:
        raise HarnessError(f"drawproof {arguments[0]} ended with {code}: {said[-400:]}")
    return said


def _command(arguments: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """(exit code, what it said); told to stop, and then killed, when it takes too long."""
    child = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *arguments], env=os.environ.copy(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        said, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
        try:
            said, _ = child.communicate(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()  # the guardian heals and ends the rest
            child.communicate()
        raise HarnessError(f"drawproof {arguments[0]} took longer than {timeout_s:g} s") from None
    return child.returncode, said
