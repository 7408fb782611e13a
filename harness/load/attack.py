"""The controller's side of the load: starts Locust's processes, fires them, hears of progress."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.guardian.client import Guardian
from harness.load.plan import COMMAND, LoadPlan
from harness.load.repayments import repay_rules
from harness.load.tally import recent_key
from harness.scenario.model import Scenario

# Of the live view's estimate: as long as the window in which recovery is looked for.
LIVE_S = 5.0
# The process that keeps the evidence, as the guardian knows it.
MASTER = "load-master"


def window_ms(window_s: float) -> int:
    """As windows are named between the processes."""
    return round(window_s * 1000)


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of draw intents so far, as the workers last reported (twice a second).

    in_flight: offered and not ended. recent: the counts that estimates are made from. attempted:
    attempts that have come to some outcome. at_ns: when. lost: which worker is gone for good, and
    its share with it; the others stop then. failure: of the load itself.
    """

    due: int = 0
    granted: int = 0
    refused: int = 0
    failed: int = 0
    unknown: int = 0
    dropped: int = 0
    done: int = 0
    attempted: int = 0
    in_flight: int = 0
    at_ns: int = 0
    lost: str | None = None
    finished: bool = False
    failure: str | None = None
    recent: Mapping[str, int] = field(default_factory=dict)

    def estimate(self, window_s: float) -> float | None:
        """granted ÷ due, over the draws due in the `window_s` that ended one attempt_timeout ago
        and were not refused; None while that lies before t = 0, and when there are none."""
        due, granted, refused = (
            self.recent.get(recent_key(window_ms(window_s), what), 0)
            for what in ("due", "granted", "refused")
        )
        return granted / (due - refused) if due > refused else None


class LoadLost(Exception):
    """A worker of the load is gone. Not an error: the drill ends early and says so."""


class Attack:
    """One attack. `start` and `fire` return at once; `progress` never blocks."""

    def __init__(
        self, guardian: Guardian, run: Path, scenario: Scenario, token: str, late_s: float
    ) -> None:
        self._guardian = guardian
        self._run = run
        self._names = [f"worker-{n + 1}" for n in range(scenario.load.workers)]
        self._plan = LoadPlan(
            run=str(run),
            seed=scenario.seed,
            workers=scenario.load.workers,
            patience=scenario.load.patience,
            quota_per_draw=scenario.load.journey.quota_per_draw,
            load_s=scenario.phases.load_s,
            late_s=late_s,
            token=token,
            master_port=_free_port(),
            repay=repay_rules(scenario),
            cells=scenario.lender.has("cells"),
            windows_ms=tuple(
                sorted({window_ms(one) for one in (LIVE_S, *(r.for_s for r in scenario.abort))})
            ),
        )
        self._said = run / "load" / "master.jsonl"
        self._read_to = 0
        self._orders: dict[str, Any] = {}
        self._ready = False
        self._last = Progress()

    def start(self) -> None:
        """Start master and workers. Raises HarnessError."""
        work = self._run / "work"
        work.mkdir(mode=0o700, exist_ok=True)
        self._said.parent.mkdir(exist_ok=True)
        plan_json = work / "load-plan.json"
        self._plan.write(plan_json)
        for name in ("master", *self._names):
            log = self._said if name == "master" else self._said.with_name(f"{name}.log")
            self._guardian.spawn(
                f"load-{name}",
                [sys.executable, "-m", "harness.load.locustfile", str(plan_json), name],
                stdout=log,
            )

    def poll_ready(self) -> bool:
        """True once every worker waits for t = 0."""
        self._hear()
        return self._ready

    def fire(self, t0_ns: int, urls: Mapping[str, str]) -> None:
        """t = 0 is at `t0_ns`; gateways by name."""
        self._order(fire={"t0_ns": t0_ns, "urls": dict(urls)})

    def stop_early(self) -> None:
        """Offer nothing more; what is under way ends by itself."""
        self._order(stop=True)

    def give_up(self) -> None:
        """Ask for no unknown any more: nothing can come of it."""
        self._order(give_up=True)

    def gone(self, process: str, status: int) -> bool:
        """A process of the drill has ended. True: it was a worker's, and its share is lost."""
        worker = process.removeprefix("load-")
        if worker not in self._names:
            return False
        known = self._orders.get("gone", {})
        self._order(gone={**known, worker: f"ended (status {status}) before it had handed over"})
        return True

    def _order(self, **order: Any) -> None:
        self._orders |= order
        path = self._run / "work" / COMMAND
        partial = path.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(self._orders))
            os.replace(partial, path)
        except OSError as exc:
            raise HarnessError(f"{path} can't be written: {exc}") from exc

    def progress(self) -> Progress:
        """As last reported."""
        self._hear()
        return self._last

    def _hear(self) -> None:
        """Read what the master has said since; its log lines are passed over."""
        try:
            with self._said.open("rb") as file:
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.splitlines():
            if not line.startswith(b"{"):
                continue
            said = json.loads(line)
            self._ready = self._ready or bool(said.get("ready"))
            if "progress" in said:
                counts = said["progress"]
                known = {k: v for k, v in counts.items() if k in Progress.__slots__}
                recent = {k: v for k, v in counts.items() if k not in known}
                self._last = Progress(
                    **known, at_ns=said["at_ns"], lost=said["lost"], recent=recent
                )
            if "finished" in said:
                self._last = replace(self._last, finished=True, failure=said["failure"])


def _free_port() -> int:
    """For Locust's master, which binds it itself; on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
