"""What can only be checked of a scenario as a whole."""

from harness.errors import Problem
from harness.scenario.fault_checks import most_at_once
from harness.scenario.model import FaultSpec, Scenario
from harness.scenario.nodes import Book, Node


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
    _check_trace(book, root, scenario)
    most, when_s = most_at_once(scenario.faults)
    if scenario.safety.max_targets is not None and most > scenario.safety.max_targets:
        book.add(
            root, "safety.max_targets", f"{most} things faulted at once, at {when_s:g} s",
            f"{scenario.safety.max_targets} at most, as the scenario itself says",
        )  # fmt: skip
    if scenario.toxiproxy and any(_stalls(fault) for fault in scenario.faults):
        book.add(
            root, "proxy.toxiproxy", "a fault `network: stall`, which Toxiproxy has not",
            "`network: timeout` instead, or a proxy of the drill's own",
        )  # fmt: skip
    journey = scenario.load.journey
    if journey.repay and journey.repay_after_low_s >= scenario.phases.load_s:
        book.add(
            root, "load.journey.repay_after", f"{journey.repay_after_low_s:g} s at least",
            f"a repayment that is due before the load ends at {scenario.phases.load_s:g} s",
        )  # fmt: skip


def _stalls(fault: FaultSpec) -> bool:
    return (fault.family, fault.kind) == ("network", "stall")


def _check_trace(book: Book, root: Node, scenario: Scenario) -> None:
    """A trace that says who draws: only borrowers there are, and nothing else may say who."""
    load = scenario.load
    if not load.shape.names_borrowers:
        return
    for draw in load.shape.traced:
        if draw.borrower is not None and draw.borrower > load.borrowers:
            place = f"row {draw.row}, borrower"
            allowed = f"1 to {load.borrowers}, as in load.borrowers"
            book.problems.append(Problem(load.shape.trace, 0, place, str(draw.borrower), allowed))
    for key, share in (("must_refuse", load.journey.must_refuse), ("hot", load.journey.hot)):
        if share:
            book.add(
                root, f"load.journey.{key}", f"{share:g}",
                "0 with a trace that names borrowers: who draws how much is in the trace",
            )  # fmt: skip
    if load.shape.kinds != ("trace",):
        book.add(
            root, "load.shape", f"{' + '.join(load.shape.kinds)}",
            "a trace that names borrowers alone: other draws could be of the same borrowers",
        )  # fmt: skip
