"""repeats.json: which drills of some repeats have been run, and what each gave.

Written whole after each drill, so that a kill loses the drill under way and nothing else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.environment import machine
from harness.errors import HarnessError, Problem, ScenarioError
from harness.repeats.arms import Arm, Cell
from harness.repeats.digest import Digest, from_json

NAME = "repeats.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Done:
    """One drill that was run. number: of its round, from 0. arm: its label."""

    number: int
    arm: str
    took_s: float
    digest: Digest


# What a folder was made for, in words.
WORDS = {"kind": "another command", "plan": "other draws", "arms": "other settings"}


class Book:
    """The drills of one folder."""

    def __init__(self, place: Path, kind: str, arms: Sequence[Arm], plan: str) -> None:
        self.place = place
        self._made_for = {"kind": kind, "plan": plan, "arms": [_arm(arm) for arm in arms]}
        self.done: list[Done] = []

    @classmethod
    def resume(cls, place: Path, kind: str, arms: Sequence[Arm], plan: str) -> "Book":
        """With what the folder has; empty when it has nothing yet. plan: fingerprint of the first
        round's. Raises ScenarioError when the folder was made for other drills, HarnessError when
        it can't be read."""
        book = cls(place, kind, arms, plan)
        if not is_repeats(place):
            book._write()  # so that the folder is known again before its first drill has ended
            return book
        raw = _read(place)
        other = [key for key, value in book._made_for.items() if raw.get(key) != value]
        if other:
            found = (
                f"{str(place)!r}, which was made for {' and '.join(WORDS[one] for one in other)}"
            )
            allowed = "the folder of the same command, with the same scenario, settings and seed"
            raise ScenarioError((Problem("the command line", 0, "--resume", found, allowed),))
        book.done = _done(raw)
        return book

    def has(self, cell: Cell) -> bool:
        """Was this drill run already?"""
        key = (cell.number, cell.arm.label)
        return any((one.number, one.arm) == key for one in self.done)

    def add(self, one: Done) -> None:
        """Write one more down. Raises HarnessError."""
        self.done.append(one)
        self._write()

    def _write(self) -> None:
        value = {
            "schema": SCHEMA,
            **self._made_for,
            "machine": machine(),
            "runs": [
                {"round": d.number, "arm": d.arm, "took_s": d.took_s, **d.digest.as_json()}
                for d in self.done
            ],
        }
        partial = self.place / f"{NAME}.partial"
        try:
            partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
            partial.replace(self.place / NAME)
        except OSError as exc:
            raise HarnessError(f"{self.place / NAME} can't be written: {exc}") from exc


def read_done(place: Path) -> list[Done]:
    """The drills of a folder of repeats. Raises HarnessError."""
    return _done(_read(place))


def is_repeats(place: Path) -> bool:
    """Is it a folder of repeats?"""
    return (place / NAME).is_file()


def check_resume(place: Path | None) -> None:
    """Raises ScenarioError for a folder that no earlier call has made; None: there is none to go on
    in."""
    if place is not None and not is_repeats(place):
        found = f"{str(place)!r}, which has no {NAME}"
        allowed = "the folder of an earlier call; leave --resume out to begin"
        raise ScenarioError((Problem("the command line", 0, "--resume", found, allowed),))


def _read(place: Path) -> dict[str, Any]:
    try:
        raw: dict[str, Any] = json.loads((place / NAME).read_text())
    except (OSError, ValueError) as exc:
        raise HarnessError(f"{place / NAME} can't be read: {exc}") from exc
    return raw


def _done(raw: Mapping[str, Any]) -> list[Done]:
    try:
        return [
            Done(row["round"], row["arm"], row["took_s"], from_json(row)) for row in raw["runs"]
        ]
    except (KeyError, TypeError) as exc:
        raise HarnessError(f"{NAME} is not of this version: {type(exc).__name__} {exc}") from exc


def _arm(arm: Arm) -> dict[str, Any]:
    """What must be the same for drills to go into one folder: the text, and the files
    that it reads, not where they lie."""
    loaded = arm.loaded()
    files = {name: hashlib.sha256(found).hexdigest() for name, found in loaded.files.items()}
    return {
        "label": arm.label,
        "scenario_sha256": hashlib.sha256(loaded.text.encode()).hexdigest(),
        "changes": list(arm.changes),
        "profile": arm.profile,
        "lender": None if arm.lender is None else str(arm.lender),
        **({"files_sha256": files} if files else {}),
    }
