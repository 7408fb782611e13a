"""What is repeated, and in which order. Pure but for reading the scenario's file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Problem, ScenarioError
from harness.evidence.fingerprint import manifest
from harness.plan import Plan, make_plan
from harness.scenario.loader import Loaded, load_scenario


@dataclass(frozen=True, slots=True)
class Arm:
    """One setting of a repeated drill.

    label: its name, for people and for the file; no two arms of one call share it. changes,
    profile: as for `drawproof run`. lender: who runs the drill, an interpreter that has another
    drawproof or a checkout of one; None: this drawproof.
    """

    label: str
    scenario: Path
    changes: tuple[str, ...] = ()
    profile: str | None = None
    lender: Path | None = None

    def with_seed(self, seed: int) -> tuple[str, ...]:
        """The changes of one of its drills."""
        return (*self.changes, f"seed={seed}")

    def loaded(self) -> Loaded:
        """The scenario with its own seed. Raises ScenarioError with every problem."""
        return load_scenario(self.scenario, self.changes, self.profile)

    def planned(self, seed: int) -> Plan:
        """What one of its drills would do. Raises ScenarioError."""
        loaded = load_scenario(self.scenario, self.with_seed(seed), self.profile)
        return make_plan(loaded.scenario, loaded.where)


@dataclass(frozen=True, slots=True)
class Cell:
    """One drill of many: an arm in a round. number: of the round, from 0; all its arms have the
    seed."""

    number: int
    seed: int
    arm: Arm


def in_order(arms: Sequence[Arm], seeds: Sequence[int]) -> Iterator[Cell]:
    """A B, B A, A B ...: a round a seed, every second one backwards.

    What drifts in a straight line with time (a disk that fills, a machine that warms up) then
    weighs on every arm alike after each two rounds.
    """
    for number, seed in enumerate(seeds):
        for arm in arms if number % 2 == 0 else reversed(arms):
            yield Cell(number, seed, arm)


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """One a round: the scenario's own and those after it."""
    return tuple(range(first, first + count))


def check_arms(arms: Sequence[Arm], seed: int) -> str:
    """All mistakes before anything starts, and the fingerprint of the plan, the same in all arms.

    Raises ScenarioError: for a mistake in an arm, and for arms that plan other draws or have less
    patient borrowers, which no pairing can compare.
    """
    labels = [arm.label for arm in arms]
    if len(set(labels)) < len(labels):
        raise _mistake("the arms", ", ".join(labels), "a label of its own for each")
    prints = {arm.label: plan_print(arm.planned(seed)) for arm in arms}
    first = arms[0].label
    for label, found in prints.items():
        if found != prints[first]:
            text = f"with seed {seed}, other draws than in {first!r}"
            raise _mistake(
                f"the arm {label!r}", text,
                "settings that leave the plan (seed, load, phases, borrowers) as it is",
            )  # fmt: skip
    patience = {arm.label: arm.loaded().scenario.load.patience for arm in arms}
    for label, told in patience.items():
        if told != patience[first]:
            raise _mistake(
                f"the arm {label!r}", f"another load.patience than in {first!r}",
                "the same in all arms: it says what a kept promise is",
            )  # fmt: skip
    return prints[first]


def plan_print(plan: Plan) -> str:
    """The fingerprint of the planned draws and repayments, whatever the faults are."""
    return plan_of(manifest(plan.intents, plan.repayments))


def plan_of(planned: Mapping[str, object]) -> str:
    """The same of environment.json's `plan`. A run that has no `draws_sha256` and no draws to make
    it from is only known to be of the same draws where the first bite is the same too."""
    draws = planned.get("draws_sha256", planned.get("intents_sha256"))
    return f"{draws}/{planned.get('repayments_sha256')}"


def _mistake(path: str, found: str, allowed: str) -> ScenarioError:
    return ScenarioError((Problem("the command line", 0, path, found, allowed),))
