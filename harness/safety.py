"""What a drill may not do unless it is said on the command line."""

from importlib.util import find_spec

from harness.errors import Problem, ScenarioError
from harness.faults.catalogue import CATALOGUE
from harness.scenario.model import Scenario

# They signal processes, or run commands and code that a scenario names.
EXEC_FAMILIES = ("process", "command", "toolkit")
MOCK = "mock"


def needs_allow_exec(scenario: Scenario, target: str) -> tuple[str, ...]:
    """Names of the faults that need `--allow-exec` on a target of this kind.

    Signals to the mock lender's own processes don't: we started them. A Chaos Toolkit action runs
    whatever it names, on whatever it likes, so it always does.
    """
    return tuple(
        fault.name
        for fault in scenario.faults
        if fault.family in EXEC_FAMILIES and (target != MOCK or fault.family != "process")
    )


def check_allowed(scenario: Scenario, target: str, *, allow_exec: bool) -> None:
    """Raises ScenarioError for what is not allowed; nothing has been touched by then."""
    for family, kind in sorted({(fault.family, fault.kind) for fault in scenario.faults}):
        needs = CATALOGUE[family, kind].needs
        if needs and find_spec(needs) is None:
            allowed = f"with {needs} installed: pip install 'drawproof[chaostoolkit]'"
            raise ScenarioError(
                (Problem(scenario.name, 0, "faults", f"{family}: {kind}", allowed),)
            )
    needing = () if allow_exec else needs_allow_exec(scenario, target)
    if needing:
        problems = [
            Problem(scenario.name, 0, "faults", f"{name!r} on the target {target!r}",
                    "with --allow-exec: it signals processes or runs what the scenario names")
            for name in needing
        ]  # fmt: skip
        raise ScenarioError(tuple(problems))
