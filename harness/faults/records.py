"""Looks for calls of our own in the record of calls that a replica of the lender keeps."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

# A row is written just after its answer, and a record is read from its end.
ROW_WITHIN_S = 0.3
TAIL_BYTES = 512 * 1024
LOOK_S = 0.02


def seen_times(
    record: Path, keys: Sequence[str], times: int, within_s: float = 0.0
) -> Mapping[str, int]:
    """How often each key has a row in a `calls.REPLICA.csv`, once all have `times`, or it is later
    than any of them should be."""
    give_up_s = time.monotonic() + within_s + ROW_WITHIN_S
    while True:
        found = _counted(record, set(keys))
        if all(found[key] >= times for key in keys) or time.monotonic() > give_up_s:
            return found
        time.sleep(LOOK_S)


def _counted(record: Path, keys: set[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    try:
        with record.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            rows = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return found
    for row in rows:
        key = row.partition(",")[0]
        if key in keys:
            found[key] += 1
    return found
