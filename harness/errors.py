"""Whose fault it is, as a type.

    DrawproofError
    ├── ScenarioError   the author of the scenario, or of the command line   exit 2
    ├── TargetError     the system under test did not do its part            exit 5
    ├── HarnessError    drawproof itself, or the machine it runs on          exit 5
    └── SafetyError     aborted, or a fault would not heal                   exit 4

An inconclusive run and a breached promise are verdicts, not errors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class DrawproofError(Exception):
    """Root of the tree; never raised itself. `exit_code` is what the command ends with."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a scenario: where it is, what was found, what would be right.

    `file` is empty where only the key is known; make_plan fills it in. `line` counts from 1 (0: not
    in the file, given on the command line); `path` is the key path, `load.shape.rate`; `allowed` is
    a phrase that completes "allowed: ...".
    """

    file: str
    line: int
    path: str
    found: str
    allowed: str

    def __str__(self) -> str:
        where = placed(self.file, self.line, self.path or "(top)")
        return f"{where}: found {self.found}; allowed: {self.allowed}"


def placed(file: str, line: int, path: str) -> str:
    """`s.yaml:16: faults.0`; of the command line, `--set safety.max_targets`, the path once."""
    if line:
        return f"{file}:{line}: {path}"
    return file if file == f"--set {path}" else f"{file}: {path}"


def guess(word: str, known: Iterable[str]) -> str:
    """`network? ` for `Netwrk`: what an unknown word may have meant, before a list of what is
    allowed; nothing when nothing is like it."""
    by_small = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_small, 1)
    return f"{by_small[near[0]]}? " if near else ""


class ScenarioError(DrawproofError):
    """The scenario or the command line can't be used; carries every problem at once."""

    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def no_run_directory(path: object) -> ScenarioError:
    """For a RUN on the command line that is none."""
    found = f"{str(path)!r}, which has no run.json"
    return ScenarioError((Problem("the command line", 0, "RUN", found, "a run directory"),))


def no_folder(path: object) -> ScenarioError:
    """For a place on the command line where no folder can be, for it is a file or below one."""
    found = f"{str(path)!r}, a file or below one"
    return ScenarioError((Problem("the command line", 0, "--out", found, "a folder"),))


class TargetError(DrawproofError):
    """The system under test could not be started, reached or read."""


class HarnessError(DrawproofError):
    """drawproof, or the machine under it, could not do its part."""


class SafetyError(DrawproofError):
    """A drill was aborted for safety, or a fault would not heal."""

    exit_code = 4
