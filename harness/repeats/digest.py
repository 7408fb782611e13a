"""What one run gave, as figures by name: read from its verdict.json, nothing judged here.

Keys of `values` are `phase.measure`: `drill.guarantee`, `fault.p95`, `drill.recover_s`. Shares are
0 to 1, latencies ms, `_s` seconds, `_fen` fen, `broken` and its like draws.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, no_run_directory
from harness.evidence.fingerprint import draws_fingerprint
from harness.evidence.tables import read_rows
from harness.judge.doubts import CUT_SHORT, INTERRUPTED
from harness.repeats.arms import plan_of
from harness.scenario.loader import load_scenario
from harness.scenario.model import FaultSpec, Patience, PhasePlan
from harness.scenario.settings import leaves
from harness.terminal import plain

OF_SHARE = {"count": "guarantee", "money": "guarantee_money"}
NOT_A_VALUE = ("interval95", "by_phase", "by_cause", "by_hop", "by_fault", "broken_by", "avoidable")

# Parts of verdict.json and what their figures are called here.
YOUNGER = {
    "harm": {"blast_radius": "blast_radius", "spillover": "spillover"},
    "stranded": {"draws": "stranded"},
    "truth": {"untrue": "untrue"},
    "breakers": {
        name: name
        for name in ("time_to_open_s", "wrongly_open", "should_have_opened", "good_calls_blocked",
                     "stuck_breakers")
    },
    "detection": {"false_alarms": "false_alarms"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Digest:
    """One run.

    run: where its directory lies, from the folder of the repeats. plan: fingerprint of what was
    planned; faults: of what was to go wrong. verdict: None when the run left none. values: None
    where there was too little data; `at_least` names those that are only known to be so large (a
    latency beyond the deadline is put down as the deadline, a recovery not reached as the time that
    was watched). by: broken draws by cause, hop and fault. wrong: audit rules that were breached;
    none of a run that did not end and whose holds and unknowns accuse nobody.
    """

    run: str
    scenario: str
    seed: int
    profile: str
    plan: str
    faults: str
    verdict: str | None
    exit_code: int
    reason: str
    values: Mapping[str, float | None]
    at_least: tuple[str, ...]
    by: Mapping[str, Mapping[str, int]]
    wrong: tuple[str, ...]
    commit: str | None
    versions: Mapping[str, str | None]
    machine: Mapping[str, object]
    # Fingerprint of the borrowers' patience, which says what a kept promise is. Empty: not known.
    patience: str = ""
    # Reasons why nothing that it measured may be believed; of one with wrong money too.
    doubts: tuple[str, ...] = ()
    # Each value of its scenario.yaml by its path of keys. Empty: not known.
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """May its figures be believed, whether or not they were enough for its expectations?"""
        return self.verdict is not None and not self.doubts

    @property
    def counts(self) -> bool:
        """May it be compared? An inconclusive run may not: what it measured is in doubt. Nor may
        one of wrong money that is in doubt besides."""
        return self.verdict in ("held", "breached") and not self.doubts

    @property
    def interrupted(self) -> bool:
        """Was it ended from outside? It was begun and not held; whoever goes on makes another."""
        return any(one.startswith((CUT_SHORT, INTERRUPTED)) for one in self.doubts)

    @property
    def doubt(self) -> str:
        """Why it may not be compared, in words."""
        return self.doubts[0] if self.verdict == "breached" and self.doubts else self.reason

    def value(self, key: str) -> float | None:
        """One figure, `drill.guarantee`; None: not measured, or not known by this run."""
        return self.values.get(key)

    def as_json(self) -> dict[str, Any]:
        """For a file; read again by `from_json`."""
        return asdict(self)


def from_json(raw: Mapping[str, Any]) -> Digest:
    """The reverse of `Digest.as_json`. Raises KeyError, TypeError."""
    # Older ones said none of these; an inconclusive run had its doubt as its reason.
    doubts = [raw["reason"]] if raw["verdict"] == "inconclusive" else []
    known: dict[str, Any] = {"patience": "", "doubts": doubts, "settings": {}, **raw}
    lists = {name: tuple(known[name]) for name in ("at_least", "wrong", "doubts")}
    return Digest(**{**{name: known[name] for name in Digest.__slots__}, **lists})


def digest(run: Path, name: str) -> Digest:
    """The figures of a run directory; `name`: what to call it. Raises ScenarioError for what is no
    run directory, HarnessError for one that can't be read."""
    if not (run / "run.json").is_file():
        raise no_run_directory(run)
    try:
        known = json.loads((run / "environment.json").read_text())
        planned = _planned(run, known.get("plan", {}))
        loaded = load_scenario(run / "scenario.yaml", (), None)
        scenario = loaded.scenario
        place = run / "verdict.json"
        verdict: dict[str, Any] | None = json.loads(place.read_text()) if place.exists() else None
        deadline_ms = scenario.load.patience.deadline_s * 1000
        found: dict[str, float | None] = {}
        at_least: list[str] = []
        if verdict is not None and verdict["guarantee"] is not None:  # None: a load alone
            found, at_least = values(verdict, deadline_ms, scenario.phases)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HarnessError(f"{run} can't be read: {type(exc).__name__}: {exc}") from exc
    told = verdict or {}
    of = (told.get("scenario"), told.get("seed"))
    if told and of != (scenario.name, scenario.seed):
        raise HarnessError(
            f"{place} is of {of[0]!r} with seed {of[1]}, and its run of"
            f" {scenario.name!r} with seed {scenario.seed}: `drawproof recheck {run}`"
        )
    guarantee = told.get("guarantee") or {}
    return Digest(
        run=name,
        scenario=scenario.name,
        seed=scenario.seed,
        profile=scenario.lender.profile,
        plan=plan_of(planned),
        faults=faults_print(scenario.faults),
        verdict=told.get("verdict"),
        exit_code=told.get("exit_code", 5),
        reason=plain(told.get("reason", "the run left no verdict")),
        values=found,
        at_least=tuple(at_least),
        by={key: guarantee.get(f"by_{key}", {}) for key in ("cause", "hop", "fault")},
        wrong=_wrong(told),
        commit=known.get("commit"),
        versions=known.get("versions", {}),
        machine=known.get("machine", {}),
        patience=patience_print(scenario.load.patience),
        doubts=tuple(plain(text) for text in told.get("doubts", ())),
        settings={plain(key): plain(text) for key, text in leaves(loaded.text).items()},
    )


def _wrong(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """Wrong money breaches whatever else is in doubt: of an inconclusive run none was wrong."""
    if verdict.get("verdict") == "inconclusive":
        return ()
    return tuple(row["rule"] for row in verdict.get("audit") or () if row["verdict"] == "breached")


def _planned(run: Path, planned: dict[str, object]) -> dict[str, object]:
    """environment.json's `plan`; what runs from before did not put there is made from their draws.

    Raises OSError.
    """
    if "draws_sha256" in planned:
        return planned
    rows, missing, cut = read_rows(run, "intents")
    return planned if missing or cut else {**planned, "draws_sha256": draws_fingerprint(rows)}


def faults_print(faults: Sequence[FaultSpec]) -> str:
    """The fingerprint of a fault schedule; hex."""
    return _print([asdict(one) for one in faults])


def patience_print(patience: Patience) -> str:
    """The same of how long borrowers wait and how often they press."""
    return _print(asdict(patience))


def _print(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def values(
    verdict: Mapping[str, Any], deadline_ms: float, phases: PhasePlan
) -> tuple[dict[str, float | None], list[str]]:
    """(figures by name, those that are lower bounds) of verdict.json."""
    found: dict[str, float | None] = {}
    at_least: list[str] = []
    whole = verdict["guarantee"]
    for phase, share in {"drill": whole, **whole["by_phase"]}.items():
        for key, number in share.items():
            if key not in NOT_A_VALUE and not isinstance(number, dict | list):
                found[f"{phase}.{OF_SHARE.get(key, key)}"] = number
    for phase, latency in verdict["latency_ms"].items():
        for key in (key for key in latency if key.startswith("p")):
            value_ms = latency[key]
            found[f"{phase}.{key}"] = value_ms
            # Known late or never: either is beyond the deadline, and neither is the better.
            if key in latency["beyond_deadline"] or (value_ms or 0) > deadline_ms:
                found[f"{phase}.{key}"] = deadline_ms
                at_least.append(f"{phase}.{key}")
    recovery = verdict["recovery"]
    for key in ("detect_s", "recover_s", "rto_s", "exposed_s", "rpo_draws"):
        found[f"drill.{key}"] = recovery.get(key)
    if recovery["stuck"]:
        heals = [f["heal_observed_s"] for f in verdict["faults"] if f["heal_observed_s"]]
        found["drill.recover_s"] = phases.load_s - max(heals, default=phases.start_s("watch"))
        at_least.append("drill.recover_s")
    found["drill.amplification"] = verdict["amplification"]["borrower"]
    found |= _of_the_drill(verdict)
    return found, at_least


def _of_the_drill(verdict: Mapping[str, Any]) -> dict[str, float | None]:
    """What is known for the whole drill only; what verdicts of before had not is left out."""
    rules = verdict["audit"] or ()
    found = {
        "drill.avoidable": verdict["guarantee"].get("avoidable"),
        "drill.audit_breaches": float(sum(row["verdict"] == "breached" for row in rules)),
    }
    for part, names in YOUNGER.items():
        known = verdict.get(part) or {}
        found |= {f"drill.{to}": known[name] for name, to in names.items() if name in known}
    goodput = (verdict.get("harm") or {}).get("goodput", {})
    return found | {f"{phase}.goodput": rate for phase, rate in goodput.items()}
