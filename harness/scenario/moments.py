"""Moments of a drill as people write them: a phase and an offset."""

import re
from collections.abc import Callable

from harness.scenario.model import PHASES, PhasePlan
from harness.units import parse_duration_s

_MOMENT = re.compile(r"\s*([a-z]+)\s*(?:\+\s*(.+?))?\s*")


def moment(plan: PhasePlan) -> Callable[[object], float]:
    """Reads `fault+1s` into seconds from t = 0."""

    def parse(text: object) -> float:
        match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] not in PHASES:
            raise ValueError(f"a phase and an offset, such as fault+1s; {', '.join(PHASES)}")
        at_s = plan.start_s(match[1]) + (parse_duration_s(match[2]) if match[2] else 0.0)
        if at_s >= plan.load_s:
            raise ValueError(f"a moment before the load ends at {plan.load_s:g} s")
        return at_s

    return parse


def inside_its_phase(plan: PhasePlan) -> Callable[[object], float]:
    """The same, where the moment must lie in the phase that it names."""

    def parse(text: object) -> float:
        at_s = moment(plan)(text)
        phase = str(text).partition("+")[0].strip()
        if at_s >= plan.end_s(phase):
            length_s = plan.end_s(phase) - plan.start_s(phase)
            raise ValueError(f"a moment inside its phase: {phase} lasts {length_s:g} s")
        return at_s

    return parse
