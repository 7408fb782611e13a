"""The arms of `drawproof attribute`: a drill with all its faults, without each, and without any.

Each arm is a scenario file of its own, so that the folder can be gone on with and looked into. The
edges that any fault needs lead through the proxy in all of them: what is compared differs in the
faults alone.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError, Problem, ScenarioError
from harness.plan import proxied_edges
from harness.repeats.arms import Arm
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.model import Expectation, FaultSpec
from harness.scenario.nodes import length, without

ALL, NONE = "all faults", "no fault"
FAULTS_MAX = 8
# Without a fault there is nothing to recover from or to detect: by such an expectation each drill
# without faults would be inconclusive.
OF_FAULTS = ("recover_s", "rto_s", "detect_s", "time_to_open_s")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """faults: of each item of the scenario's list, its name and times. arms: ALL, one without each
    (`without 1: NAME`), and NONE; with one fault, without it is NONE."""

    faults: tuple[str, ...]
    arms: tuple[Arm, ...]

    def without(self, number: int) -> str:
        """The label of the arm that has all but this fault, counted from 0."""
        return NONE if len(self.faults) == 1 else _label(number, self.faults[number])


def arms_of(scenario: Path, changes: Sequence[str], profile: str | None, place: Path) -> LeftOut:
    """Write a scenario file an arm into `place`.

    Raises ScenarioError with every mistake, also for a drill without faults, of which nothing can
    be left out; HarnessError when a file can't be written.
    """
    loaded = load_scenario(scenario, changes, profile)
    count = length(loaded.text, "faults")
    if not 1 <= count <= FAULTS_MAX:
        found, allowed = f"{count} faults", f"1 to {FAULTS_MAX}, to leave out in turn"
        raise ScenarioError((Problem(str(scenario), 0, "faults", found, allowed),))
    edges = ", ".join(f'"{edge}"' for edge in proxied_edges(loaded.scenario))
    change = (f"proxy.edges=[{edges}]",) if edges else ()

    def written(folder: str, gone: Collection[int]) -> Path:
        path = place / "arms" / folder / "scenario.yaml"
        _write(path, without(loaded.text, "faults", gone), loaded)
        return path

    calm = (*change, *_expects_nothing_of_faults(loaded.scenario.expect))
    arms = [Arm(ALL, written("all", ()), change)]
    names = []
    for number in range(count):
        path = written(f"without-{number + 1}", (number,))
        left = load_scenario(path, calm, None).scenario.faults
        names.append(_missing(loaded.scenario.faults, left))
        if count > 1:
            arms.append(Arm(_label(number, names[-1]), path, change))
    arms.append(Arm(NONE, written("none", range(count)), calm))
    return LeftOut(tuple(names), tuple(arms))


def _label(number: int, name: str) -> str:
    return f"without {number + 1}: {name}"


def _expects_nothing_of_faults(expect: Sequence[Expectation]) -> list[str]:
    """The changes that leave such expectations out, of each phase that has one."""
    phases = dict.fromkeys(one.phase for one in expect if one.measure in OF_FAULTS)
    left = {
        phase: [one.text for one in expect if one.phase == phase and one.measure not in OF_FAULTS]
        for phase in phases
    }
    return [f"expect.{phase}={json.dumps(texts)}" for phase, texts in left.items()]


def _missing(faults: Sequence[FaultSpec], left: Sequence[FaultSpec]) -> str:
    """The name of what is not there any more; of a repeated one the first, and how often."""
    nameless = [replace(one, name="") for one in left]
    gone = []
    for one in faults:
        if replace(one, name="") in nameless:
            nameless.remove(replace(one, name=""))
        else:
            gone.append(one.name)
    times = f", {len(gone)} times" if len(gone) > 1 else ""
    return gone[0].partition(" #")[0] + times


def _write(path: Path, text: str, loaded: Loaded) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        for name, data in loaded.files.items():
            (path.parent / name).write_bytes(data)
    except OSError as exc:
        raise HarnessError(f"{path} can't be written: {exc}") from exc
