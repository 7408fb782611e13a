"""Calls functions of a public client for a test, which has not got it installed: a line of JSON in,
`[module, attribute path, positional, named]`; a line out, `{"value": ...}` or `{"raised": name}`.

`$N` as the module is the value of the N-th call.
"""

import importlib
import json
import sys
from functools import reduce
from typing import Any


def plain(value: Any) -> Any:
    """As JSON can carry it."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def main() -> int:
    values: list[Any] = []
    for line in sys.stdin:
        owner, path, positional, named = json.loads(line)
        known = owner.startswith("$")
        start: Any = values[int(owner[1:])] if known else importlib.import_module(owner)
        try:
            value = reduce(getattr, path.split("."), start)(*positional, **named)
            answer = {"value": plain(value)}
        except Exception as exc:  # noqa: BLE001  whatever a client raises is its answer
            value, answer = None, {"raised": type(exc).__name__}
        values.append(value)
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
