"""One question to a child process, with a time limit that holds whatever the child does.

Standard library only: the guardian asks too.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from harness.processes import descendants, send

TOOLKIT = "harness.faults.toolkit_child"


def ask_toolkit(
    do: str, experiment: object, env: Mapping[str, str], limit_s: float
) -> tuple[bool, str]:
    """Run a part of a Chaos Toolkit experiment: (it went well, what is to be said of it).

    do: `method`, `rollbacks` or `hypothesis`. After `limit_s` it and all it has started is killed,
    and it went badly. The child ends itself, and what it has started, when whoever asks dies.
    """
    question = {"do": do, "experiment": experiment, "asker": os.getpid()}
    return ask_child(TOOLKIT, question, env, limit_s)


def ask_child(
    module: str, question: Mapping[str, Any], env: Mapping[str, str], limit_s: float
) -> tuple[bool, str]:
    """The child is `python -m MODULE`: a question on stdin, `{"ok", "detail"}` as its last line."""
    child = subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**os.environ, **env}, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = child.communicate(json.dumps(question).encode(), timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(child)
        return False, f"it took longer than {limit_s:g} s and was killed"
    try:
        answer = json.loads(said.splitlines()[-1])
        return bool(answer["ok"]), str(answer["detail"])
    except (IndexError, ValueError, KeyError, TypeError):
        return False, f"it ended without an answer (status {child.returncode})"


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Its tree, and then its pipes: a grandchild may hold them open."""
    for pid in [child.pid, *descendants(child.pid)]:
        send(pid, signal.SIGKILL)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()
