"""What one run of a drill gave, as lines and figures: read from its verdict.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.repeats.digest import Digest
from harness.scenario.entry import AUDIT


@dataclass(frozen=True, slots=True)
class Seen:
    """digest: its figures. lines: of each line of the drill its verdict. actual: of each
    expectation what was measured, in its measure's unit; None: nothing, or beyond the deadline.
    value: the whole verdict.json; None: the run left none."""

    digest: Digest
    lines: Mapping[str, str]
    actual: Mapping[str, float | None]
    value: Mapping[str, Any] | None

    @property
    def breached(self) -> tuple[str, ...]:
        """The lines that broke, in order."""
        return tuple(line for line, verdict in self.lines.items() if verdict == "breached")


def see(place: Path, digest: Digest) -> Seen:
    """Of a run in the folder of some repeats. Raises HarnessError."""
    path = place / digest.run / "verdict.json"
    if digest.verdict is None:
        return Seen(digest, {}, {}, None)
    try:
        value: dict[str, Any] = json.loads(path.read_text())
        return seen(digest, value)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HarnessError(f"{path} can't be read: {type(exc).__name__}: {exc}") from exc


def seen(digest: Digest, value: Mapping[str, Any]) -> Seen:
    """The same of a verdict.json as a value. Raises KeyError."""
    lines: dict[str, str] = {}
    actual: dict[str, float | None] = {}
    for one in value["expectations"] or ():
        line = f"{one['phase']}: {one['expected']}"
        lines[line], actual[line] = one["verdict"], one["actual"]
    for row in value["audit"] or ():
        lines[f"{AUDIT}{row['rule']}"] = row["verdict"]
    return Seen(digest, lines, actual, value)
