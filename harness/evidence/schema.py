"""The tables of the evidence as a JSON Schema (draft 2020-12), made from columns.py and rows.py:
`python -m harness.evidence.schema > docs/schema/evidence.schema.json`.

A property a table: its rows as objects, with the unit of each column in its description. `null` is
allowed where the value may never have been learned, or does not apply; it is never zero.
"""

import json
import sys
from typing import Any, get_type_hints

from harness.evidence.columns import PLACES, SCHEMA_VERSION, TABLES
from harness.evidence.rows import ROWS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS = {"int64": "integer", "string": "string", "bool": "boolean", "double": "number"}
# Calls about no draw, as the monitor's, have no key; whoever looks at draws never sees them.
NULL_TOO = {("calls", "draw_key")}
# By how a column's name ends.
UNITS = (
    ("_ns", "nanoseconds; a moment is CLOCK_MONOTONIC of the controller's host"),
    ("_fen", "integer fen, 1/100 yuan"),
    ("_bp", "ten-thousandths"),
    ("_share", "share of a second"),
    ("_months", "months"),
    ("_days", "days"),
    ("_key", "key, unique in its run"),
)


def evidence_schema() -> dict[str, Any]:
    """The schema as a value."""
    return {
        "$schema": DRAFT,
        "title": "drawproof evidence",
        "description": "The tables of a run directory, each PLACE.parquet when the run has ended.",
        "version": SCHEMA_VERSION,
        "type": "object",
        "properties": {table: _table(table) for table in TABLES},
    }


def _table(table: str) -> dict[str, Any]:
    hints = get_type_hints(ROWS[table])
    fields = zip(TABLES[table], ROWS[table]._fields, strict=True)
    return {
        "type": "array",
        "description": f"{PLACES[table]}.parquet",
        "items": {
            "type": "object",
            "properties": {
                one.name: _column(
                    one.name,
                    str(one.type),
                    type(None) in _members(hints[field]) or (table, one.name) in NULL_TOO,
                )
                for one, field in fields
            },
            "required": list(TABLES[table].names),
        },
    }


def _members(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__args__", ())


def _column(name: str, kind: str, nullable: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"type": [KINDS[kind], "null"] if nullable else KINDS[kind]}
    unit = next((unit for ending, unit in UNITS if name.endswith(ending)), None)
    return {**found, "description": unit} if unit else found


if __name__ == "__main__":
    json.dump(evidence_schema(), sys.stdout, indent=1)
    sys.stdout.write("\n")
