"""Asks the lender's console, a hand on its database and its rule book.

What is taken there is a lease: it ends by itself, should nobody come back to release it.
"""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from harness.errors import TargetError
from harness.faults.fault import Surroundings

LEASE_MARGIN_S = 5.0  # less than a fault is given to be seen healed
LEASE_S_MAX = 7200.0
# For the docs of who is released here.
RELEASED = "DELETE at the console; a lease ends it there, should nobody come back."
# A lock or a connection has two seconds there, and a database that is away three.
ANSWER_S = 5.0
LOOK_S = 1.0


def lease_s(for_s: float | None) -> float:
    """A fault that is never healed lasts as long as any run."""
    return LEASE_S_MAX if for_s is None else for_s + LEASE_MARGIN_S


def take(around: Surroundings, name: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    """Take what `body` says, under a name; facts about it. Raises TargetError."""
    return _ask(around, "PUT", _hold(name), body)


def release(around: Surroundings, name: str) -> None:
    """Release it; what is not held any more is no error. Raises TargetError."""
    _ask(around, "DELETE", _hold(name), None)


def undo(around: Surroundings, name: str) -> Mapping[str, Any]:
    """The journal's undo of it."""
    base_url, _ = around.console_api()
    return {"kind": "http", "method": "DELETE", "url": base_url + _hold(name)}


def look(around: Surroundings, path: str, within_s: float = LOOK_S) -> Mapping[str, Any] | None:
    """What the console says; None when it does not, or can't tell."""
    try:
        return _ask(around, "GET", path, None, within_s)
    except TargetError:
        return None


def _hold(name: str) -> str:
    return f"/holds/{quote(name, safe='')}"


def _ask(
    around: Surroundings, method: str, path: str, body: object, within_s: float = ANSWER_S
) -> Mapping[str, Any]:
    base_url, token = around.console_api()
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=within_s)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"X-Token": token})
        response = connection.getresponse()
        status, said = response.status, response.read(100_000)
        found = json.loads(said)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise TargetError(f"the console did not answer {method} {path}: {exc}") from exc
    finally:
        connection.close()
    if status >= 300 and not (method == "DELETE" and status == 404):
        raise TargetError(f"the console refused {method} {path}: {status} {found}")
    return found if isinstance(found, dict) else {}
