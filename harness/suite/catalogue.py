"""The drills of a folder of scenarios: found, checked as a whole, by set, in any order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Problem, ScenarioError, guess
from harness.judge.audit import RULES
from harness.repeats.arms import Arm
from harness.scenario.entry import AUDIT, CLASSES, FULL_SET, OFF, SETS, Entry, Variant
from harness.scenario.entry_section import KEYS as ENTRY
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.nodes import Book, flow_text, pairs, parse
from harness.seeds import stream

SET_NAMES = (*SETS, FULL_SET)
# From the command to the verdict, beside the load: the lender starts, the drain ends, the judge
# judges. Seconds, measured on two cores.
AROUND_S = 10.0
RUN_S_MAX = 75.0
LISTED, REVERSED = "listed", "reversed"


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill of the catalogue. path: of its file."""

    path: Path
    loaded: Loaded
    entry: Entry

    @property
    def name(self) -> str:
        """No two drills share it."""
        return self.loaded.scenario.name

    @property
    def run_s(self) -> float:
        """About how long it takes in all, seconds."""
        return self.loaded.scenario.phases.load_s + AROUND_S

    def on(self, profile: str | None = None) -> Arm:
        """The drill as it stands, or with another profile."""
        return Arm(self.name, self.path, (), profile)

    def off(self) -> Arm:
        """Its second arm."""
        return self.mutated(self.entry.off)

    def mutated(self, variant: Variant) -> Arm:
        """The drill with something changed; labelled `NAME off`, or `NAME with CHANGE`."""
        words = OFF if variant.label == OFF else f"with {variant.label}"
        return Arm(f"{self.name} {words}", self.path, variant.changes, variant.profile)


def find_drills(folder: Path) -> tuple[Drill, ...]:
    """All drills below a folder, by class and name; a scenario without a catalogue's keys is none.

    Raises ScenarioError with every mistake of every file at once, for a folder without drills too.
    """
    found: list[Drill] = []
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            loaded = load_scenario(path, (), None)
            if (entry := loaded.scenario.entry) is None:
                continue
            drill = Drill(path, loaded, entry)
            problems += _mistakes(drill, [one.name for one in found])
            found.append(drill)
        except ScenarioError as exc:
            problems += exc.problems
    if problems:
        raise ScenarioError(tuple(problems))
    if not found:
        where = f"{str(folder)!r}, which has no drill"
        allowed = "a folder of scenarios with title, class, story and the rest"
        raise ScenarioError((Problem("the command line", 0, "--scenarios", where, allowed),))
    return tuple(sorted(found, key=lambda one: (CLASSES.index(one.entry.kind), one.name)))


def fingerprint(drill: Drill) -> str:
    """Of all that a run depends on: what was measured of another version is no measure of this one.

    That is the scenario with the files beside it, and what is changed in the second arm. What the
    catalogue only tells of a drill, or holds against figures that are kept (the lines that break,
    how far the arms are apart), can be mended without measuring again. Hex, 16 digits.
    """
    book = Book()
    said = pairs(book, parse(drill.loaded.text, drill.name), "")
    told = sorted((key, flow_text(node)) for key, node in said if key not in ENTRY)
    files = sorted(
        (name, hashlib.sha256(data).hexdigest()) for name, data in drill.loaded.files.items()
    )
    changed = (drill.entry.off.profile, drill.entry.off.changes)
    return hashlib.sha256(repr((told, files, changed)).encode()).hexdigest()[:16]


def _mistakes(drill: Drill, names: Sequence[str]) -> list[Problem]:
    """What can only be seen of a drill beside others, and with what its variants change."""
    made: list[Problem] = []

    def add(path: str, found: str, allowed: str) -> None:
        made.append(Problem(*drill.loaded.where(path), path, found, allowed))

    if drill.name in names:
        add("name", f"{drill.name!r}, as another drill", "a name of its own")
    if drill.run_s > RUN_S_MAX:
        add("phases", f"about {drill.run_s:g} s in all", f"at most {RUN_S_MAX:g} s")
    known = lines_of(drill.loaded)
    variants = {"arms.off": drill.entry.off}
    variants |= {f"mutations.{n}": one for n, one in enumerate(drill.entry.mutations)}
    for path, variant in variants.items():
        for key, lines in (("breaches", variant.breaches), ("also", variant.also)):
            for number, line in enumerate(lines):
                if line not in known:
                    add(f"{path}.{key}.{number}", repr(line), f"{guess(line, known)}one of "
                        f"{', '.join(f'`{one}`' for one in known)}")  # fmt: skip
        try:
            drill.mutated(variant).loaded()
        except ScenarioError as exc:
            for one in exc.problems:
                add(f"{path}.set", f"{one.path}: {one.found}", one.allowed)
    return made


def lines_of(loaded: Loaded) -> tuple[str, ...]:
    """Everything that can be breached in a drill: its expectations, and the rules of the audit."""
    expected = [f"{one.phase}: {one.text}" for one in loaded.scenario.expect]
    return (*expected, *(f"{AUDIT}{rule.name}" for rule in RULES))


def of_set(drills: Sequence[Drill], name: str) -> tuple[Drill, ...]:
    """Those of a set. Raises ScenarioError for a set that is none, or empty."""
    if name not in SET_NAMES:
        allowed = f"{guess(name, SET_NAMES)}one of {', '.join(SET_NAMES)}"
        raise ScenarioError((Problem("the command line", 0, "SET", repr(name), allowed),))
    chosen = tuple(one for one in drills if one.entry.belongs_to(name))
    if not chosen:
        found = f"{name!r}, which no drill belongs to"
        raise ScenarioError((Problem("the command line", 0, "SET", found, "a set with drills"),))
    return chosen


def in_order(drills: Sequence[Drill], order: str) -> tuple[Drill, ...]:
    """`listed`, `reversed`, or shuffled by a whole number. Raises ScenarioError."""
    if order == LISTED:
        return tuple(drills)
    if order == REVERSED:
        return tuple(reversed(drills))
    if not order.isdecimal():
        allowed = f"{LISTED}, {REVERSED}, or a whole number to shuffle by"
        raise ScenarioError((Problem("the command line", 0, "--order", repr(order), allowed),))
    shuffled = list(drills)
    stream(int(order), "order of drills").shuffle(shuffled)
    return tuple(shuffled)
