"""What can only be checked of a scenario as a whole."""

from collections import Counter

from harness.scenario.fault_checks import most_at_once
from harness.scenario.model import FaultSpec, Scenario
from harness.scenario.nodes import Book, Node


def check(book: Book, root: Node, scenario: Scenario) -> None:
    """Add problems that no single key shows."""
    if not any(expectation.phase == "baseline" for expectation in scenario.expect):
        book.add_at(
            root, "expect.baseline", "nothing",
            "at least one expectation: without a steady state nothing is proven",
        )  # fmt: skip
    _check_expectations(book, root, scenario)
    patience = scenario.load.patience
    if patience.attempt_timeout_s > patience.deadline_s:
        book.add_at(
            root, "load.patience.attempt_timeout", f"{patience.attempt_timeout_s:g} s",
            "at most the deadline",
        )  # fmt: skip
    _check_trace(book, root, scenario)
    most, when_s = most_at_once(scenario.faults)
    if scenario.safety.max_targets is not None and most > scenario.safety.max_targets:
        book.add_at(
            root, "safety.max_targets", f"{most} things faulted at once, at {when_s:g} s",
            f"{scenario.safety.max_targets} at most, as the scenario itself says",
        )  # fmt: skip
    if scenario.toxiproxy and any(_stalls(fault) for fault in scenario.faults):
        book.add_at(
            root, "proxy.toxiproxy", "a fault that stalls an edge, which Toxiproxy can't",
            "`network: timeout` instead of `network: stall` or a site's, or the drill's own proxy",
        )  # fmt: skip
    journey = scenario.load.journey
    if journey.repay and journey.repay_after_low_s >= scenario.phases.load_s:
        book.add_at(
            root, "load.journey.repay_after", f"{journey.repay_after_low_s:g} s at least",
            f"a repayment that is due before the load ends at {scenario.phases.load_s:g} s",
        )  # fmt: skip


def _check_expectations(book: Book, root: Node, scenario: Scenario) -> None:
    """What is expected of faults, with so many faults."""
    seen: Counter[str] = Counter()
    for expectation in scenario.expect:
        path = f"expect.{expectation.phase}.{seen[expectation.phase]}"
        seen[expectation.phase] += 1
        if expectation.measure == "rto_s" and len(scenario.faults) != 1:
            found = f"{expectation.text!r} with {len(scenario.faults)} faults"
            book.add_at(root, path, found, "rto_s in drills with one fault alone")
        # Not refused: a drill without its faults is the usual control of the drill with them.
        if expectation.measure == "recover_s" and not scenario.faults:
            text = "no fault is planned, so that there is nothing to recover from: inconclusive"
            book.warn_at(root, path, f"{expectation.text}: {text}")


def _stalls(fault: FaultSpec) -> bool:
    return fault.family == "site" or (fault.family, fault.kind) == ("network", "stall")


def _check_trace(book: Book, root: Node, scenario: Scenario) -> None:
    """A trace that says who draws: nothing else may say who."""
    load = scenario.load
    if not load.shape.named:
        return
    for key, share in (("must_refuse", load.journey.must_refuse), ("hot", load.journey.hot)):
        if share:
            book.add_at(
                root, f"load.journey.{key}", f"{share:g}",
                "0 with a trace that names borrowers: who draws how much is in the trace",
            )  # fmt: skip
    if load.shape.kinds != ("trace",):
        book.add_at(
            root, "load.shape", f"{' + '.join(load.shape.kinds)}",
            "a trace that names borrowers alone: other draws could be of the same borrowers",
        )  # fmt: skip
