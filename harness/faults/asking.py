"""Speaks to a control endpoint of the lender: JSON, the run's token, a bounded wait."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from harness.errors import TargetError
from harness.faults.fault import Surroundings

ANSWER_S = 2.0
CREATED = 201


class Unreachable(TargetError):
    """Whoever was asked did not answer."""


def ask(
    api: tuple[str, str], method: str, path: str, body: object = None, within_s: float = ANSWER_S
) -> Mapping[str, Any]:
    """One request to (base URL, token); its answer. `gone` is in it when there was nothing of that
    name. Raises Unreachable, and TargetError for a refusal."""
    base_url, token = api
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=within_s)
    headers = {"X-Token": token, "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        status, said = response.status, response.read(1_000_000)
    except (OSError, http.client.HTTPException) as exc:
        raise Unreachable(f"{base_url} did not answer {method} {path}: {exc}") from exc
    finally:
        connection.close()
    if status not in (200, CREATED, 404):
        raise TargetError(f"{base_url} refused {method} {path}: {status} {said[:200]!r}")
    answer: dict[str, Any] = json.loads(said) if said.startswith(b"{") else {}
    return {**answer, "gone": True} if status == 404 else answer


def planted_path(name: str) -> str:
    """Where a service keeps the fault of this name."""
    return f"/control/faults/{quote(name, safe='')}"


def plant(
    around: Surroundings, target: str, name: str, lease_s: float, fault: Mapping[str, Any]
) -> None:
    """Put a fault into a service for at most `lease_s`. Raises TargetError."""
    body = {**fault, "lease_s": lease_s}
    ask(around.service_api(target), "PUT", planted_path(name), body)


def unplanting(around: Surroundings, target: str, name: str) -> Mapping[str, Any]:
    """The undo of `plant`, for the journal."""
    base_url, _ = around.service_api(target)
    return {"kind": "http", "method": "DELETE", "url": base_url + planted_path(name)}


def unplant(around: Surroundings, target: str, name: str) -> None:
    """End a fault in a service. One that is gone has no fault any more, and one that does not
    answer ends it by itself with its lease; whether it did is for the next look to say."""
    try:
        ask(around.service_api(target), "DELETE", planted_path(name))
    except Unreachable:
        return
