"""Speaks to a control endpoint of the lender: JSON, the run's token, a bounded wait."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from harness.errors import TargetError

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
