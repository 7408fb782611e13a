"""A Chaos Toolkit experiment as a fault: its method injects, its roll-backs heal, and it bites
while its steady-state hypothesis is not met.

Actions and probes of all three providers (python, process, http), with configuration and secrets.
They run in a child process with a time limit. Of the target they are told by the environment:
DRAWPROOF_TARGET, DRAWPROOF_TARGET_URL and DRAWPROOF_TARGET_PID. Secrets are given by reference only
(`{type: env, key: NAME}`): the experiment is in the evidence, what they say never is.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import TargetError
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, text
from harness.guardian.child import ask_toolkit
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s

PROVIDERS = ("python", "process", "http")
KEYS = (
    "title", "description", "tags", "version", "contributions", "configuration", "secrets",
    "steady-state-hypothesis", "method", "rollbacks",
)  # fmt: skip
ACTIVITY = ("name", "type", "provider", "tolerance", "timeout", "pauses")
LIMIT_S_MAX = 60.0
BITES_AFTER_S = 3.0


@dataclass(frozen=True, slots=True)
class ToolkitExperiment:
    """experiment: JSON, checked. limit_s: how long its method, roll-backs or one look may take."""

    experiment: str
    target: str
    limit_s: float
    name: str
    healer: Healer = "nemesis"

    @property
    def edge_or_replica(self) -> str:
        return self.target

    @property
    def bites_within_s(self) -> float:
        return self.limit_s + BITES_AFTER_S

    @property
    def look_s_max(self) -> float:
        return self.limit_s

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        """Raises TargetError when the hypothesis is not met already: then nothing could be seen."""
        met, detail = self._ask("hypothesis", around)
        if not met:
            raise TargetError(f"{self.name}: its hypothesis is not met before it: {detail}")
        return {
            "kind": "toolkit",
            "experiment": json.loads(self.experiment),
            "env": self._told(around),
            "limit_s": self.limit_s,
        }

    def inject(self, around: Surroundings) -> None:
        self._must("method", around)

    def heal(self, around: Surroundings) -> None:
        self._must("rollbacks", around)

    def observe(self, around: Surroundings) -> Sighting:
        at_ns = time.monotonic_ns()
        met, detail = self._ask("hypothesis", around)
        return Sighting(at_ns, not met, detail)

    def _must(self, part: str, around: Surroundings) -> None:
        well, detail = self._ask(part, around)
        if not well:
            raise TargetError(f"{self.name}: {part}: {detail}")

    def _ask(self, part: str, around: Surroundings) -> tuple[bool, str]:
        told = self._told(around)
        return ask_toolkit(part, json.loads(self.experiment), told, self.limit_s)

    def _told(self, around: Surroundings) -> dict[str, str]:
        host, port = around.replica_address(self.target)
        pid, _ = around.replica_pid(self.target)
        return {
            "DRAWPROOF_TARGET": self.target,
            "DRAWPROOF_TARGET_URL": f"http://{host}:{port}",
            "DRAWPROOF_TARGET_PID": str(pid),
        }


def parse_experiment(data: object) -> str:
    """A Chaos Toolkit experiment as JSON. Raises ValueError with what is allowed.

    More is asked than Chaos Toolkit asks: a hypothesis to be seen by, roll-backs to be healed by.
    """
    if not isinstance(data, dict):
        raise ValueError("a Chaos Toolkit experiment, a mapping")
    unknown = sorted(set(map(str, data)) - set(KEYS))
    if unknown:
        raise ValueError(f"no {unknown[0]}; {', '.join(KEYS)}")
    hypothesis = data.get("steady-state-hypothesis")
    probes = hypothesis.get("probes") if isinstance(hypothesis, dict) else None
    for name, listed in (
        ("steady-state-hypothesis.probes", probes),
        ("method", data.get("method")),
        ("rollbacks", data.get("rollbacks")),
    ):
        if not isinstance(listed, list) or not listed:
            raise ValueError(f"{name}, at least one: it is seen by probes and healed by roll-backs")
        for activity in listed:
            _check_activity(activity, name)
    if not all("tolerance" in probe for probe in probes or ()):
        raise ValueError("a tolerance for each probe of the hypothesis")
    _check_secrets(data.get("secrets", {}))
    return json.dumps(data)


def _check_activity(activity: object, where: str) -> None:
    if not isinstance(activity, dict):
        raise ValueError(f"{where}: actions and probes, each a mapping")
    unknown = sorted(set(map(str, activity)) - set(ACTIVITY))
    if unknown:
        raise ValueError(f"{where}: no {unknown[0]}; {', '.join(ACTIVITY)}")
    kind, provider = activity.get("type"), activity.get("provider")
    if not activity.get("name") or kind not in ("action", "probe"):
        raise ValueError(f"{where}: a name, and type action or probe")
    if not isinstance(provider, dict) or provider.get("type") not in PROVIDERS:
        raise ValueError(f"{where}: a provider of type {', '.join(PROVIDERS)}")
    if provider["type"] == "process" and isinstance(provider.get("arguments"), str):
        raise ValueError(f"{where}: arguments as a list or mapping: as text they go to a shell")


def _check_secrets(secrets: object) -> None:
    """Groups of references. What a secret says must not be in a scenario: that is evidence."""
    groups = secrets.values() if isinstance(secrets, dict) else [None]
    for group in groups:
        references = group.values() if isinstance(group, dict) else [None]
        if not all(isinstance(one, dict) and "type" in one for one in references):
            raise ValueError("secrets by reference: {group: {name: {type: env, key: NAME}}}")


def parse_limit_s(value: object) -> float:
    """0.1 s to 1 min. Raises ValueError."""
    seconds = parse_duration_s(value)
    if not 0.1 <= seconds <= LIMIT_S_MAX:
        raise ValueError("a duration from 100ms to 1min")
    return seconds


def _build(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return ToolkitExperiment(
        experiment=str(params["experiment"]),
        target=str(params["target"]),
        limit_s=float(params["limit_s"]),
        name=spec.name,
    )


def _kill(sign: str) -> dict[str, object]:
    arguments = [sign, "${pid}"]
    provider = {"type": "process", "path": "kill", "arguments": arguments}
    return {"type": "action", "name": f"kill {sign}", "provider": provider}


EXAMPLE: Mapping[str, object] = {
    "configuration": {
        "pid": {"type": "env", "key": "DRAWPROOF_TARGET_PID"},
        "url": {"type": "env", "key": "DRAWPROOF_TARGET_URL"},
    },
    "steady-state-hypothesis": {
        "title": "it answers",
        "probes": [
            {
                "type": "probe",
                "name": "healthz",
                "tolerance": 200,
                "provider": {"type": "http", "url": "${url}/healthz", "timeout": 1},
            }
        ],
    },
    "method": [_kill("-STOP")],
    "rollbacks": [_kill("-CONT")],
}

KINDS: Kinds = {
    ("toolkit", "experiment"): FaultKind(
        (
            Parameter(
                "target", "target", text, "the replica or bank that it hits",
                names="service", example="bank.own",
            ),
            Parameter(
                "experiment", "experiment", parse_experiment, "", data=True, example=EXAMPLE
            ),
            Parameter(
                "limit", "limit_s", parse_limit_s, "a duration from 100ms to 1min", 5.0,
                required=False, example="4s",
            ),
        ),
        for_key="needed",
        build=_build,
        does="The method of a Chaos Toolkit experiment: any actions and probes, in their order.",
        observed="Its steady-state hypothesis is met before, and not while it bites.",
        undone="Its roll-backs, each although one before it failed; twice must do no harm.",
        cannot="It is only as well healed as its roll-backs heal: nobody checks what else it did.",
        needs="chaoslib",
        # Before it the hypothesis is asked, then comes the method, then a look: each may take 4 s.
        sample_for_s=13.0,
    ),
}  # fmt: skip
