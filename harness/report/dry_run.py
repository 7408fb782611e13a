"""`drawproof run --dry-run`: what would be injected, when, on what, and how it would be undone."""

import json
from collections.abc import Iterator

from harness.clock import NS_PER_S
from harness.faults.catalogue import CATALOGUE
from harness.nemesis.schedule import schedule
from harness.plan import Plan
from harness.scenario.fault_checks import most_at_once


def dry_run(plan: Plan, needing: tuple[str, ...]) -> str:
    """A few lines a fault, in the order of time. needing: names that need `--allow-exec`, which was
    not given."""
    return "\n".join(_lines(plan, needing))


def _lines(plan: Plan, needing: tuple[str, ...]) -> Iterator[str]:
    scenario = plan.scenario
    yield f"{scenario.name}, seed {scenario.seed}: nothing is started, nothing is touched."
    yield f"proxied edges: {', '.join(plan.edges) or 'none'}"
    for step in schedule(plan.faults, 0):
        spec, fault = scenario.faults[step.number], plan.faults[step.number][0]
        at_s = step.at_ns / NS_PER_S
        phase = scenario.phases.phase_at(at_s)
        yield f"{at_s:9.3f} s  {phase:8}  {step.action:6}  {spec.name}"
        if step.action == "inject":
            known = CATALOGUE[spec.family, spec.kind]
            data = {p.param for p in known.parameters if p.data}
            given = ", ".join(
                f"{key}={value}" for key, value in spec.params if value != "" and key not in data
            )
            yield f"{'':23}on {fault.edge_or_replica}; {given or 'no parameters'}"
            for key, value in spec.params:
                if key in data:
                    yield from (f"{'':25}{line}" for line in _data_lines(key, str(value)))
            yield f"{'':23}does: {known.does}"
            yield f"{'':23}undo: {known.undone}"
            yield f"{'':23}must be seen within {fault.bites_within_s:g} s"
            if spec.name in needing:
                yield f"{'':23}needs --allow-exec, which is not given"
    most, when_s = most_at_once(scenario.faults)
    allowed = scenario.safety.max_targets
    bound = "no bound is set" if allowed is None else f"{allowed} are allowed"
    yield f"at most {most} targets at once, at {when_s:g} s; {bound}"
    rules = [rule.text for rule in scenario.abort]
    rules.append(f"no outcome for {scenario.safety.blind_after_s:g} s")
    yield f"aborts on: {'; '.join(rules)}"


def _data_lines(key: str, value: str) -> Iterator[str]:
    """A mapping whole, for it is what somebody has to read: a line a key, or an item of a list."""
    for name, part in json.loads(value).items():
        for item in part if isinstance(part, list) else [part]:
            yield f"{key}.{name}: {json.dumps(item, ensure_ascii=False)}"
