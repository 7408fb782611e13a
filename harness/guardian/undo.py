"""Undoing faults from the journal alone, by whoever is left to do it.

    nothing                          a kill: there is nothing to undo
    continue  pid, start_ticks       SIGCONT a stopped process and all its descendants
    http      method, url            loopback only; refused is undone. May have `body`, JSON, and
                                     `token: false`: the run's token is not added
    remove    path                   a file or folder within the run directory
    toolkit   experiment, env, limit_s   the roll-backs of a Chaos Toolkit experiment
    all       undos                  each of them, although another could not be done

Standard library only.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.guardian.audit_log import AuditLog
from harness.guardian.child import ask_toolkit
from harness.guardian.journal import NAME, Journal
from harness.processes import signal_tree, start_ticks

ANSWER_WITHIN_S = 1.0


def undo_all(run: Path, role: str, *, gone: bool = False) -> list[str]:
    """Undo what the journal of a run says is pending; one line for each, done or not. What is not
    stays pending. role: who undoes, for the audit log. gone: see `perform`."""
    journal, log = Journal(run / NAME), AuditLog(run, role)
    lines = []
    for fault, undo in journal.pending():
        log.try_note("undo", fault, "begun", more={"undo": undo})
        trouble = perform(undo, run, gone=gone)
        log.try_note("undo", fault, trouble or "done")
        if trouble is None:
            with contextlib.suppress(OSError):  # a full disk keeps nothing from being undone
                journal.done(fault)
        lines.append(f"{fault}: {'undone' if trouble is None else trouble}")
    return lines


def perform(undo: Mapping[str, Any], run: Path, *, gone: bool = False) -> str | None:
    """Do one undo; None when it worked or there was nothing left to undo, else why not.

    gone: all that the run had started is dead. What it kept of faults is gone with it, and whoever
    listens on its ports by now is a stranger, who is asked for nothing.
    """
    kind = undo.get("kind")
    if kind == "nothing":
        return None
    if kind == "continue":
        if start_ticks(undo["pid"]) == undo["start_ticks"]:
            signal_tree(undo["pid"], signal.SIGCONT)
        return None
    if kind == "http":
        return _request(undo, run, gone=gone)
    if kind == "remove":
        return _remove(Path(undo["path"]), run)
    if kind == "toolkit":
        well, detail = ask_toolkit("rollbacks", undo["experiment"], undo["env"], undo["limit_s"])
        return None if well else detail
    if kind == "all":
        troubles = [trouble for one in undo["undos"] if (trouble := perform(one, run, gone=gone))]
        return "; ".join(troubles) or None
    return f"unknown undo {kind!r}"


def _remove(path: Path, run: Path) -> str | None:
    """A journal that was given to us must not name what is not the run's."""
    if run.resolve() not in path.parent.resolve().joinpath(path.name).parents:
        return f"{path} is not within {run}"
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return f"{path} is still there" if os.path.lexists(path) else None


def _request(undo: Mapping[str, Any], run: Path, *, gone: bool) -> str | None:
    method, url, body = str(undo["method"]), str(undo["url"]), undo.get("body")
    parts = urlsplit(url)
    if parts.hostname != "127.0.0.1" or parts.port is None:
        return f"{url} is not on loopback"
    if gone and undo.get("token", True):
        return None
    try:
        token = (run / ".token").read_text()
    except OSError:
        token = ""
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=ANSWER_WITHIN_S)
    try:
        headers = {"Content-Type": "application/json"}
        if undo.get("token", True):
            headers["X-Token"] = token
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, parts.path, data, headers)
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return None  # what was faulted is gone, and the fault with it
    except (OSError, http.client.HTTPException) as exc:
        return f"{method} {url}: {exc}"
    finally:
        connection.close()
    return None if status < 300 or status == 404 else f"{method} {url}: {status}"
