"""Asks the mock lender's supervisor, on loopback, with the run's token."""

import http.client
import json
from typing import Any

from harness.errors import TargetError


def ask_supervisor(
    control: str, token: str, method: str, path: str, timeout_s: float
) -> dict[str, Any]:
    """One request to `host:port`. Raises TargetError for anything but 200."""
    host, _, port = control.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    try:
        connection.request(method, path, headers={"X-Token": token})
        response = connection.getresponse()
        body = response.read(1_000_000)
    except OSError as exc:
        raise TargetError(f"the lender's supervisor did not answer {method} {path}: {exc}") from exc
    finally:
        connection.close()
    if response.status != 200:
        raise TargetError(f"{method} {path}: {response.status} {body[:300]!r}")
    answer: dict[str, Any] = json.loads(body)
    return answer
