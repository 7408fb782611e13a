"""Which runs a word of the command line means: a run directory, a folder of them, FOLDER:ARM."""

import json
from dataclasses import dataclass
from pathlib import Path

from harness.compare.pairs import few
from harness.errors import Problem, ScenarioError
from harness.evidence.seal import PLACE as SEAL
from harness.evidence.seal import owed
from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import verdict_bytes
from harness.repeats.book import is_repeats, read_done
from harness.repeats.digest import Digest, digest
from harness.repeats.repeats import by_arm
from harness.report.load_alone import is_load_alone

ALLOWED = "a run directory, a folder of run directories, or FOLDER:ARM, one arm of repeats"


@dataclass(frozen=True, slots=True)
class _Given:
    """One run. kept: its figures as a folder of repeats has them, where the run itself is gone."""

    place: Path
    name: str
    kept: Digest | None = None

    def read(self, role: str) -> Digest:
        return self.kept or _as_judged(self.place, self.name, role)

    def same_as(self) -> bytes | str:
        """What two names of one run share: also a copy has the digests of its evidence."""
        seal = self.place / SEAL
        return seal.read_bytes() if seal.is_file() else str(self.place.resolve())


def runs_of(what: Path, role: str = "RUN") -> list[Digest]:
    """The runs of a run directory, a folder of run directories, or one arm of repeats. role: what
    the command line calls it.

    Raises ScenarioError for what is none, HarnessError for what can't be read.
    """
    return [one.read(role) for one in _given(what, role)]


def two_sides(base: Path, candidate: Path) -> tuple[list[Digest], list[Digest]]:
    """The runs of both; raises ScenarioError too where a run is on both sides: it is always the
    same as itself, and that proves nothing of a lender."""
    left, right = _given(base, "BASE"), _given(candidate, "CANDIDATE")
    known = {one.same_as() for one in left}
    twice = [one for one in right if one.same_as() in known]
    if twice:
        found = "the same runs as BASE"
        if len(twice) < max(len(left), len(right)):
            found = f"{few([one.name for one in twice])}, on the side of BASE too"
        raise mistake(
            "CANDIDATE", found,
            "other runs than those of BASE; or name a scenario, to drill both sides of it",
        )  # fmt: skip
    return [one.read("BASE") for one in left], [one.read("CANDIDATE") for one in right]


def _given(what: Path, role: str) -> list[_Given]:
    folder, _, label = str(what).rpartition(":")
    if folder and not what.exists() and is_repeats(Path(folder)):
        return _of_arm(Path(folder), label, role)
    if not what.exists():
        raise mistake(role, f"{str(what)!r}, which does not exist", ALLOWED)
    if is_repeats(what):
        return _of_arm(what, None, role)
    if (what / "run.json").is_file():
        return [_Given(what, what.resolve().name)]
    inside = sorted(path for path in what.iterdir() if path.is_dir()) if what.is_dir() else []
    found = [
        _Given(path, path.name)
        for path in inside
        if not path.is_symlink() and (path / "run.json").is_file()
    ]
    if found:
        return found
    repeats = [str(path) for path in inside if is_repeats(path)]
    if repeats:
        text = f"{str(what)!r}, in which there are folders of repeats, and no run directory"
        raise mistake(role, text, f"one of them: {few(repeats)}")
    raise mistake(role, f"{str(what)!r}, in which there is no run directory", ALLOWED)


def _of_arm(place: Path, label: str | None, role: str) -> list[_Given]:
    done = read_done(place)
    labels = sorted({one.arm for one in done})
    if label is None and len(labels) == 1:
        label = labels[0]
    if label not in labels:
        several = "which has several arms" if label is None else f"which has no arm {label!r}"
        named = ", ".join(repr(f"{place}:{one}") for one in labels)
        raise mistake(role, f"{str(place)!r}, {several}", f"one of them: {named or 'none yet'}")
    kept = [found for _, found in sorted(by_arm(done, label).items())]
    # The runs themselves where they still lie there: what the book has was some judge's.
    return [
        _Given(place / one.run, one.run, None if _lies(place / one.run) else one) for one in kept
    ]


def _lies(place: Path) -> bool:
    return (place / "run.json").is_file()


def _as_judged(path: Path, name: str, role: str) -> Digest:
    """The figures of a run, by its verdict.json: which must be what this drawproof makes of the
    evidence, for a comparison is of lenders and not of judges. Runs from before evidence was sealed
    are taken at their word. Raises ScenarioError."""
    run, verdict = RunDir(path), path / "verdict.json"
    # One whose digests are gone is not one of before: nobody can say what it was.
    owes = not is_load_alone(run) and owed(json.loads((path / "run.json").read_text()))
    judged = verdict.is_file() and (owes or (path / SEAL).is_file())
    if judged and verdict_bytes(judge(load_view(run))) != verdict.read_bytes():
        found = f"{str(path)!r}, whose verdict.json is not what its evidence comes to"
        raise mistake(role, found, f"runs judged by this drawproof: `drawproof recheck {path}`")
    return digest(path, name)


def mistake(path: str, found: str, allowed: str) -> ScenarioError:
    """One mistake of the command line."""
    return ScenarioError((Problem("the command line", 0, path, found, allowed),))
