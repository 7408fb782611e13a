"""What can only be checked of a scenario as a whole."""

from harness.scenario.model import PHASES, Scenario
from harness.scenario.nodes import Book, Node
from harness.scenario.shapes import stretches


def check(book: Book, root: Node, scenario: Scenario) -> None:
    """Add problems that no single key shows."""
    if not any(expectation.phase == "baseline" for expectation in scenario.expect):
        book.add(
            root, "expect.baseline", "nothing",
            "at least one expectation: without a steady state nothing is proven",
        )  # fmt: skip
    for expectation in scenario.expect:
        if expectation.measure == "rto_s" and len(scenario.faults) != 1:
            book.add(
                root, f"expect.{expectation.phase}", f"{expectation.text!r} with "
                f"{len(scenario.faults)} faults", "rto_s in drills with one fault alone",
            )  # fmt: skip
    patience = scenario.load.patience
    if patience.attempt_timeout_s > patience.deadline_s:
        book.add(
            root, "load.patience.attempt_timeout", f"{patience.attempt_timeout_s:g} s",
            "at most the deadline",
        )  # fmt: skip
    journey = scenario.load.journey
    if journey.repay and journey.repay_after_low_s >= scenario.phases.load_s:
        book.add(
            root, "load.journey.repay_after", f"{journey.repay_after_low_s:g} s at least",
            f"a repayment that is due before the load ends at {scenario.phases.load_s:g} s",
        )  # fmt: skip


def warnings_of(scenario: Scenario) -> tuple[str, ...]:
    """What will run but may not be able to prove what is expected."""
    found = []
    planned = {phase: planned_draws(scenario, phase) for phase in PHASES}
    planned["drill"] = sum(planned.values())
    for expectation in scenario.expect:
        draws = planned.get(expectation.phase, 0.0)
        if expectation.measure.startswith("p") and expectation.measure[1:2].isdigit():
            beyond = draws * (1 - float(expectation.measure[1:]) / 100)
            if beyond < 10:
                found.append(
                    f"expect.{expectation.phase}: {expectation.text}: about {draws:.0f} draws are "
                    f"planned, {beyond:.1f} beyond the quantile; it will be inconclusive below 10"
                )
    return tuple(found)


def planned_draws(scenario: Scenario, phase: str) -> float:
    """How many draws are expected to fall due in a phase."""
    start_s = scenario.phases.start_s(phase)
    end_s = scenario.phases.start_s((*PHASES, "drain")[PHASES.index(phase) + 1])
    return sum(
        max(0.0, min(end_s, part.end_s) - max(start_s, part.start_s)) * part.rate_per_s
        for part in stretches(scenario.load.shape, scenario.phases.load_s)
    )
