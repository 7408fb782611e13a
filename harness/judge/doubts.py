"""What makes a run inconclusive whatever it measured: no data is not zero."""

from collections.abc import Sequence

from harness.clock import NS_PER_S
from harness.judge.drift import Drift
from harness.judge.ends import Finding
from harness.judge.exposure import window_ns
from harness.judge.parts import Parts
from harness.judge.view import FaultLine, RunView

# By so much a fault may come or go at another moment than planned. Beyond it, what is measured by
# phase is not what was planned: the controller was stopped, or had no CPU.
SLIP_NS = NS_PER_S


def doubts(view: RunView, parts: Parts) -> list[str]:
    """Reasons, the weightiest first; none means that the run may be believed."""
    found = []
    if view.ended == "cut":
        found.append("the run was cut short: its controller died before it could end it")
    elif view.ended != "complete":
        found.append(f"the run did not complete: {view.ended}")
    found += [f"the evidence is not what it was: {text}" for text in view.spoilt]
    found += [f"the load's evidence is incomplete: {text}" for text in parts.incomplete]
    if view.missing:
        found.append(f"evidence is missing: {', '.join(view.missing)}")
    if view.cut:
        found.append(f"evidence was cut short: {', '.join(view.cut)}")
    found += [f"the recorder failed: {text}" for text in view.harness_failures]
    found += _about_faults(view, parts)
    if parts.health.verdict != "held":
        found.append(parts.health.reason)
    for phase in ("baseline", "fault"):
        if parts.guarantee.by_phase[phase].promised == 0:
            found.append(f"nothing was promised in {phase}")
    found += _about_drift(parts.drift)
    planned = view.scenario.load.journey.must_refuse * len(view.intents)
    if planned >= 10 and parts.guarantee.total.rightly_refused == 0:
        found.append("nothing was rightly refused although some draws had to be")
    if parts.repaid.planned >= 10 and parts.repaid.repaid == 0:
        found.append("nothing was repaid although some draws had to be")
    return found + _about_audit(view, parts.audit)


def _about_audit(view: RunView, audit: Sequence[Finding]) -> list[str]:
    """A rule that crashed, or had nothing to look at, says nothing of the money, whether or not the
    scenario expects a clean audit. Why one lacks its tables is said already."""
    if view.missing or view.cut:
        return []
    return [
        f"rule {one.rule} ({one.name}) can't tell: {one.first}"
        for one in audit
        if one.verdict == "inconclusive"
    ]


def _about_drift(drift: Drift) -> list[str]:
    """A baseline that was on its way somewhere is none to compare with."""
    found = []
    if drift.guarantee is not None and drift.guarantee.verdict == "doubt":
        first, last = drift.guarantee.first * 100, drift.guarantee.last * 100
        found.append(f"the baseline drifted: guarantee from {first:.1f} % to {last:.1f} %")
    if drift.latency_p50 is not None and drift.latency_p50.verdict == "doubt":
        first, last = drift.latency_p50.first, drift.latency_p50.last
        found.append(f"the baseline drifted: median latency from {first:.0f} ms to {last:.0f} ms")
    return found


def _about_faults(view: RunView, parts: Parts) -> list[str]:
    """Each planned fault must have been seen, must have touched something, must be gone."""
    found = []
    if len(view.faults) < len(view.scenario.faults):
        found.append(
            f"{len(view.scenario.faults) - len(view.faults)} planned faults have no record"
        )
    for fault in view.faults:
        if _never_came(view, fault):
            continue
        if window_ns(view, fault) is None:
            found.append(f"{fault.name}: {fault.failure or 'never observed'}")
        elif parts.exposure[fault.name].calls == 0:
            found.append(f"{fault.name}: touched no call")
        elif fault.healer == "nemesis" and fault.heal_observed_ns is None:
            found.append(f"{fault.name}: {fault.failure or 'not seen healed'}")
        found += _slipped(view, fault)
    return found


def _never_came(view: RunView, fault: FaultLine) -> bool:
    """Was the run ended before the fault was due? Its reason says so already."""
    return (
        view.ended not in ("complete", "cut")
        and fault.injected_ns is None
        and view.load_end_ns is not None
        and fault.planned_ns >= view.load_end_ns
    )


def _slipped(view: RunView, fault: FaultLine) -> list[str]:
    """Was it begun when it was planned, and its heal after as long as planned?"""
    began_ns = fault.inject_began_ns or fault.injected_ns
    if began_ns is None:
        return []
    late_ns = began_ns - fault.planned_ns
    found = [f"{fault.name}: injected {late_ns / NS_PER_S:.1f} s late"] if late_ns > SLIP_NS else []
    for_s = next((spec.for_s for spec in view.scenario.faults if spec.name == fault.name), None)
    ended_ns = fault.heal_began_ns or fault.healed_ns
    if fault.healer == "nemesis" and for_s and ended_ns is not None:
        more_ns = ended_ns - began_ns - round(for_s * NS_PER_S)
        # Who stops a drill heals at once: that is no slip.
        stopped = view.ended != "complete" and ended_ns >= (view.load_end_ns or ended_ns)
        if stopped:
            more_ns = max(0, more_ns)
        if abs(more_ns) > SLIP_NS:
            found.append(f"{fault.name}: lasted {more_ns / NS_PER_S:+.1f} s more than planned")
    return found
