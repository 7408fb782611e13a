"""Runs a part of a Chaos Toolkit experiment: `python -m harness.faults.toolkit_child`, in a process
of its own, so that what hangs can be killed. The one importer of chaoslib.

A question on stdin, `{"do": "method" | "rollbacks" | "hypothesis", "experiment": {...}, "asker":
pid}`; the last line on stdout is `{"ok", "detail"}`. What a secret says never gets out. When the
asker dies we do: a method must not go on behind the roll-backs that the guardian then runs.
"""

import json
import os
import signal
import sys
from typing import Any

from harness.processes import die_with_parent

try:
    from chaoslib.activity import ensure_activity_is_valid, execute_activity
    from chaoslib.configuration import load_configuration
    from chaoslib.exceptions import ChaosException
    from chaoslib.hypothesis import run_steady_state_hypothesis
    from chaoslib.secret import load_secrets
except ImportError:
    MISSING = "chaostoolkit-lib is not installed: pip install 'drawproof[chaostoolkit]'"
else:
    MISSING = ""

HIDDEN = "***"
DETAIL_MAX = 400


def answer(question: dict[str, Any]) -> tuple[bool, str]:
    """(it went well, what there is to say). For a hypothesis: is it met?"""
    experiment = question["experiment"]
    secrets: dict[str, Any] = {}
    try:
        configuration = load_configuration(experiment.get("configuration", {}))
        secrets = load_secrets(experiment.get("secrets", {}), configuration)
        if question["do"] == "hypothesis":
            well, detail = _hypothesis(experiment, configuration, secrets)
        else:
            well, detail = _activities(experiment, question["do"], configuration, secrets)
    except ChaosException as exc:
        well, detail = False, f"{type(exc).__name__}: {exc}"
    return well, _without(secrets, detail)[:DETAIL_MAX]


def _activities(
    experiment: dict[str, Any], part: str, configuration: Any, secrets: Any
) -> tuple[bool, str]:
    """All of them, in order. Roll-backs go on after one that failed; a method does not."""
    failed = []
    for activity in experiment[part]:
        ensure_activity_is_valid(activity)
        run = execute_activity(experiment, activity, configuration, secrets, None)
        trouble = _trouble(run)
        if trouble:
            failed.append(f"{activity['name']}: {trouble}")
            if part == "method":
                break
    return not failed, "; ".join(failed) or f"{len(experiment[part])} done"


def _trouble(run: dict[str, Any]) -> str:
    """Why an activity did not work; Chaos Toolkit itself only warns of an exit status or of a
    status above 399, and a fault that was not injected must not pass for one that was."""
    if run["status"] != "succeeded":
        return str((run.get("exception") or ["failed"])[-1]).strip()
    provider, output = run["activity"]["provider"]["type"], run["output"]
    if "tolerance" in run["activity"] or not isinstance(output, dict):
        return ""
    status = output.get("status")
    if provider == "process" and status:
        return f"exit status {status}: {output.get('stderr', '')}".strip()
    if provider == "http" and isinstance(status, int) and status > 399:
        return f"HTTP {status}"
    return ""


def _hypothesis(experiment: dict[str, Any], configuration: Any, secrets: Any) -> tuple[bool, str]:
    state = run_steady_state_hypothesis(experiment, configuration, secrets, None, None)
    if state["steady_state_met"]:
        return True, f"all {len(state['probes'])} probes are within tolerance"
    last = state["probes"][-1]
    return (
        False,
        f"{last['activity']['name']} is not within tolerance: {_trouble(last) or 'deviated'}",
    )


def _without(secrets: Any, text: str) -> str:
    """The text with every secret taken out."""
    if isinstance(secrets, dict):
        for inner in secrets.values():
            text = _without(inner, text)
    elif isinstance(secrets, str) and secrets:
        text = text.replace(secrets, HIDDEN)
    return text


def _end_with(asker: int) -> None:
    """Kill our process group, which is ours alone, as soon as the asker is gone."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(os.getpid(), signal.SIGKILL))
    die_with_parent(signal.SIGTERM)
    if os.getppid() != asker:  # it was gone before we could say so
        os.killpg(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Exit 0 whenever there is an answer."""
    question = json.load(sys.stdin)
    _end_with(question["asker"])
    # What actions print is theirs; the answer alone goes to the pipe.
    out, sys.stdout = sys.stdout, sys.stderr
    well, detail = (False, MISSING) if MISSING else answer(question)
    print(json.dumps({"ok": well, "detail": detail}), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
