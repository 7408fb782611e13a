"""What every fault of a real lender must live through, whatever its family."""

from collections.abc import Mapping
from typing import Any

import pytest

from harness.faults.fault import Fault
from harness.guardian.undo import perform
from tests.lender_process import TOKEN, until
from tests.surroundings import LenderSurroundings


def some_daily(faults: Mapping[str, Fault], daily: int = 3) -> list[Any]:
    """Parameters by name: the first few belong to every run, the others to the slow ones, where
    test_every_fault has each kind of the catalogue as well."""
    return [
        pytest.param(fault, id=name, marks=[] if number < daily else pytest.mark.slow)
        for number, (name, fault) in enumerate(faults.items())
    ]


def seen(around: LenderSurroundings, fault: Fault) -> None:
    """It bites as soon as it says that it does."""
    until(lambda: fault.observe(around).bites is True, fault.bites_within_s)


def gone(around: LenderSurroundings, fault: Fault, within_s: float = 5.0) -> None:
    until(lambda: fault.observe(around).bites is False, within_s)


def seen_and_healed(around: LenderSurroundings, fault: Fault, within_s: float = 5.0) -> None:
    """Not there, injected, seen, healed, gone; nothing is left to undo, which is no trouble.

    The undo comes first, as in a drill: with it some faults take down what there was before.
    """
    undo = fault.undo(around)
    gone(around, fault, within_s)
    fault.inject(around)
    try:
        seen(around, fault)
    finally:
        fault.heal(around)
    gone(around, fault, within_s)
    (around.made.folder / ".token").write_text(TOKEN)
    assert perform(undo, around.made.folder) is None


def undone_by_the_journal(around: LenderSurroundings, fault: Fault) -> None:
    """As after a kill -9: from what was written down before, and by nobody of the fault's own."""
    (around.made.folder / ".token").write_text(TOKEN)
    undo = fault.undo(around)
    fault.inject(around)
    seen(around, fault)
    assert perform(undo, around.made.folder) is None
    gone(around, fault)
