"""Orders to the lender's supervisor: leases there, ended by a DELETE or by themselves."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from harness.faults.asking import Unreachable, ask
from harness.faults.fault import Surroundings

# A supervisor that is starting a replica answers when it has forked it.
ORDER_S = 4.0


def order(around: Surroundings, path: str, **query: object) -> None:
    """POST it; what is no text or number is sent as JSON. Raises TargetError."""
    words = {
        key: value if isinstance(value, str | int | float) else json.dumps(value)
        for key, value in query.items()
    }
    ask(around.supervisor_api(), "POST", f"{path}?{urlencode(words)}", within_s=ORDER_S)


def countermanding(around: Surroundings, path: str) -> Mapping[str, Any]:
    """The undo of an order, for the journal."""
    base_url, _ = around.supervisor_api()
    return {"kind": "http", "method": "DELETE", "url": base_url + path}


def countermand(around: Surroundings, path: str) -> None:
    """DELETE it. A supervisor that does not answer ends it with its lease."""
    try:
        ask(around.supervisor_api(), "DELETE", path, within_s=ORDER_S)
    except Unreachable:
        return


def named(act: str, name: str) -> str:
    """`/loop/risk-1`."""
    return f"/{act}/{quote(name)}"
