"""faults.jsonl, the nemesis' own record, read back into one line a fault."""

import json
from pathlib import Path
from typing import Any

from harness.judge.view import FaultLine

# The transition's state, and the field of FaultLine it dates. The first of each counts, but the
# last sighting is the last one.
FIELDS = {
    "planned": "planned_ns",
    "injected": "injected_ns",
    "observed": "observed_ns",
    "last_observed": "last_observed_ns",
    "healed": "healed_ns",
    "observed_healed": "heal_observed_ns",
}
# When the call began whose end the state dates.
BEGINNINGS = {"injected": "inject_began_ns", "healed": "heal_began_ns"}


def read_fault_lines(path: Path) -> tuple[FaultLine, ...]:
    """The faults as they were planned. A cut last line is left out; no file, no faults."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return ()
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        life = found.setdefault(
            row["fault"],
            {
                "name": row["fault"],
                "edge_or_replica": row["edge_or_replica"],
                # Runs from before there were healers had only faults that the nemesis ended.
                "healer": row.get("healer", "nemesis"),
                "failure": None,
                **dict.fromkeys([*FIELDS.values(), *BEGINNINGS.values()]),
            },
        )
        if row["state"] == "observed_healed":
            # Whoever was to heal it, the target's own remedy may have been first.
            life["healer"] = row.get("healer", life["healer"])
        field = FIELDS.get(row["state"])
        if field is None:
            life["failure"] = row["detail"]
        elif life[field] is None or field == "last_observed_ns":
            life[field] = row["at_ns"]
            if row["state"] in BEGINNINGS:
                life[BEGINNINGS[row["state"]]] = row.get("before_ns")
    return tuple(FaultLine(**life) for life in found.values())
