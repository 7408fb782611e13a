"""Time to detect: how long after a fault bit an alert named the hop where it is.

Alerts are rows of `states` of kind `alert`: subject is the hop that it names (`ledger`, `ledger-1`,
`bank.partner-a`, `site b`), state `raised` or `cleared`. A lender that writes none has none to
judge: that is no data, neither zero alarms nor a fault that was overlooked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import NS_PER_S
from harness.evidence.rows import State
from harness.faults.site import SITE
from harness.judge.names import role
from harness.judge.view import FaultLine, RunView


@dataclass(frozen=True, slots=True)
class Detection:
    """by_fault: seconds by the fault's name, None for one that no alert has named."""

    by_fault: Mapping[str, float | None] = field(default_factory=dict)
    false_alarms: int | None = None

    @property
    def detect_s(self) -> float | None:
        """First observed bite → first alert that names the right hop; the slowest of the faults.

        Over the faults that were seen to bite; zero for one at a hop that an alert of an earlier
        fault there still named: nothing is raised twice. Null without any alert of the run, and
        when one fault was never named: that is in `undetected`.
        """
        times = [one for one in self.by_fault.values() if one is not None]
        return max(times) if times and not self.undetected else None

    @property
    def undetected(self) -> tuple[str, ...]:
        """First observed bite → first alert that names its hop, of each fault; and those that no
        alert named.

        Over the faults that were seen to bite, in a run that has alerts.
        """
        return tuple(name for name, one in self.by_fault.items() if one is None)


def detection(view: RunView) -> Detection:
    """`false_alarms`: alerts raised in the baseline before anything was injected.

    Over all alerts, whatever hop they name. Null without any alert of the run, and when something
    was injected before the baseline began.
    """
    # After the drain the lender is stopped, which alarms whoever watches it.
    until_ns = view.drain_end_ns
    rows = sorted(
        (s for s in view.states if s.kind == "alert" and (until_ns is None or s.at_ns <= until_ns)),
        key=lambda one: (one.at_ns, one.subject, one.replica),
    )
    alerts = [one for one in rows if not one.state.startswith("cleared")]
    if not alerts or "states" in (*view.missing, *view.cut):
        return Detection()
    from_ns = view.t0_ns + int(view.scenario.phases.start_s("baseline") * NS_PER_S)
    to_ns = view.t0_ns + int(view.scenario.phases.end_s("baseline") * NS_PER_S)
    begun = [at_ns for fault in view.faults if (at_ns := began_ns(fault)) is not None]
    to_ns = min([to_ns, *begun])
    return Detection(
        by_fault={
            fault.name: _detected_s(fault, alerts, _standing(fault, rows, view.faults))
            for fault in view.faults
            if fault.observed_ns is not None
        },
        false_alarms=(
            sum(from_ns <= one.at_ns < to_ns for one in alerts) if from_ns < to_ns else None
        ),
    )


def began_ns(fault: FaultLine) -> int | None:
    """When it may have bitten first: the call that injects it bites before its end."""
    return fault.inject_began_ns or fault.injected_ns or fault.observed_ns


def _standing(fault: FaultLine, rows: Sequence[State], faults: Iterable[FaultLine]) -> bool:
    """Did an alert of its hop stand when it began, raised for an earlier fault there?"""
    from_ns = began_ns(fault)
    if from_ns is None:
        return False
    last: dict[tuple[str, str], State] = {}
    for row in rows:
        if row.at_ns < from_ns and names(row.subject, fault):
            last[row.replica, row.subject] = row
    return any(
        not alert.state.startswith("cleared") and names(alert.subject, other)
        for alert in last.values()
        for other in faults
        if other is not fault and (at_ns := began_ns(other)) is not None and at_ns <= alert.at_ns
    )


def _detected_s(fault: FaultLine, alerts: Sequence[State], standing: bool) -> float | None:
    from_ns = began_ns(fault)
    if standing:
        return 0.0
    for alert in alerts:
        if from_ns is not None and alert.at_ns >= from_ns and names(alert.subject, fault):
            return round(max(0, alert.at_ns - (fault.observed_ns or from_ns)) / NS_PER_S, 3)
    return None


def names(subject: str, fault: FaultLine) -> bool:
    """Is the hop that an alert names the one that the fault is at?"""
    called = fault.edge_or_replica
    if called.startswith(SITE):
        site, _, banks = called.partition("->")
        return subject in (called, site) or (bool(banks) and subject.startswith("bank."))
    server = called.partition("->")[2] or called
    return subject in (called, server, role(server)) or role(subject) == server
