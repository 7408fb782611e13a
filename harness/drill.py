"""One drill, from a checked scenario to a verdict.

1. Plan: borrowers, intents, faults; all of it follows from the scenario and its seed.
2. Make the run directory and write the plan into it, marked as cut until somebody says otherwise.
3. Start the guardian. From here on it owns every process, whatever becomes of us.
4. Start the proxy; the lender and the load start side by side.
5. When all are ready, agree on t = 0 and let the load and the nemesis go.
6. Watch: live view, abort rules, blindness, who has died.
7. Drain: nothing in flight, no hold open; or give up aloud.
8. Heal what is left, export the lender's books, stop everything.
9. Judge the run directory as anybody could later, and write the reports.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.clock import NS_PER_S
from harness.disk_beat import DiskBeat
from harness.draining import Bounds
from harness.environment import environment
from harness.errors import DrawproofError, HarnessError, SafetyError, TargetError
from harness.evidence.columns import RUN_SCHEMA
from harness.evidence.fingerprint import manifest
from harness.evidence.recorder import write_rows
from harness.evidence.store import RunDir
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.heal import unhealed
from harness.load.attack import Attack, LoadLost
from harness.nemesis.nemesis import Nemesis
from harness.notice_looks import NoticeLooks
from harness.plan import Plan
from harness.proxy.client import ProxyClient, ToxiproxyClient, start_proxy
from harness.running import me
from harness.stopping import Interrupted, StopFlag
from harness.target.mock import MockTarget
from harness.watch import Glance, Watch

LEAD_NS = NS_PER_S // 2
READY_WITHIN_S = 40.0
SETTLE_LEAD_S = 1.0
WALL_CLOCK_MOVED_S_MAX = 0.005
# The database and its log, and evidence of some minutes: a full disk silences those it hurts, so
# it is looked at before anything is started.
FREE_MB_MIN = 150


class Drill:
    """Steps 3 to 8. `ended` says how it went, in the words of run.json."""

    def __init__(
        self, plan: Plan, run: RunDir, stop: StopFlag, show: Callable[[Glance], None]
    ) -> None:
        self._plan = plan
        self._run = run
        self._stop = stop
        self._show = show
        self._began_ns = time.monotonic_ns()
        self._t0_ns = 0
        self._record: dict[str, object] = {
            "schema": RUN_SCHEMA, "ended": "cut", "t0_ns": 0, "controller": me(),
        }  # fmt: skip
        self._printed: dict[str, float | int | None] = {}
        self.ended = "cut"

    def run(self) -> None:
        """Run it to an end, whatever that is; never raises for what happened in the drill."""
        self._write_record()
        self._stop.obey(self._run.path)
        try:
            with Guardian.start(self._run.path) as guardian:
                self._run_guarded(guardian)
        except Interrupted as by:
            self._end(f"interrupted: {by}")
        except DrawproofError as exc:
            kind = "aborted" if isinstance(exc, SafetyError) else "error"
            self._end(f"{kind}: {exc}")
        left = unhealed(self._run.path)
        if left:
            # Whatever else it ended with: nothing is worse than a fault that is still there.
            self.ended = f"aborted: NOT HEALED: {', '.join(left)}; see `drawproof heal`"
        self._write_record()

    def _end(self, ended: str) -> None:
        """The first thing that went wrong is what the run ended with."""
        if self.ended in ("cut", "complete"):
            self.ended = ended

    def _run_guarded(self, guardian: Guardian) -> None:
        token = secrets.token_hex(16)
        self._run.write_token(token)
        journal = Journal(self._run.path / "journal.jsonl")
        proxy = self._proxy(guardian, token, journal) if self._plan.edges else None
        target = MockTarget(
            guardian,
            self._run,
            self._plan.scenario.lender,
            self._plan.population,
            self._plan.funding,
            token,
            proxy,
            self._plan.edges,
        )
        target.write_plan()
        late_s = self._plan.scenario.load.patience.deadline_s + target.sweeper_window_s()
        attack = Attack(guardian, self._run.path, self._plan.scenario, token, late_s)
        attack.start()
        target.start()
        self._wait_ready(guardian, target, attack)
        nemesis = Nemesis(
            self._plan.faults,
            target,
            journal,
            self._run.path / "faults.jsonl",
            self._plan.scenario.safety.max_targets,
        )
        watch = Watch(
            self._plan.scenario, guardian, attack, nemesis, target, self._stop, self._show
        )
        disk = DiskBeat(self._run.stream_path("disk"), self._run.path / "work" / "disk-beat")
        disk.start()
        looks = NoticeLooks(
            self._run.stream_path("notice_looks"), target.base_urls(), self._plan.intents, token,
            lambda: self._t0_ns,
        )  # fmt: skip
        looks.start()
        try:
            self._load(watch, target, attack, nemesis)
        except SafetyError as exc:
            # Abort: heal, offer no more, keep observing until what is in flight has ended.
            self._end(f"aborted: {exc}")
            self._end_early(watch, target, attack, nemesis)
        except LoadLost as what:
            # Half of a load proves nothing, so the other half stops too; what is in flight ends.
            self._end(f"load lost: {what}")
            self._end_early(watch, target, attack, nemesis)
        except Interrupted as by:
            self._end(f"interrupted: {by}")
            self._end_early(watch, target, attack, nemesis, hurry=True)
        finally:
            nemesis.stop(heal=guardian.alive)
            disk.stop()
            looks.stop()
        self._close(guardian, target)

    def _proxy(self, guardian: Guardian, token: str, journal: Journal) -> ProxyClient:
        if self._plan.scenario.toxiproxy:
            return ToxiproxyClient(self._plan.scenario.toxiproxy, journal)
        return start_proxy(guardian, self._run.path, token, self._plan.scenario.seed)

    def _wait_ready(self, guardian: Guardian, target: MockTarget, attack: Attack) -> None:
        give_up_ns = time.monotonic_ns() + int(READY_WITHIN_S * NS_PER_S)
        lender_up = load_up = False
        while not (lender_up and load_up):
            self._stop.check()
            guardian.check()
            failure = attack.progress().failure
            if failure is not None:
                raise HarnessError(failure)
            for gone in guardian.exits():
                if gone.name == "lender":
                    raise TargetError(target.died(gone.status))
                raise HarnessError(f"{gone.name} ended at once (status {gone.status})")
            lender_up = lender_up or target.poll_ready()
            load_up = load_up or attack.poll_ready()
            if time.monotonic_ns() > give_up_ns:
                late = HarnessError if lender_up else TargetError
                what = "the load's processes" if lender_up else "the lender"
                raise late(f"{what} did not get ready within {READY_WITHIN_S:.0f} s")
            time.sleep(0.02)
        self._run.add_environment({"target": dict(target.facts())})

    def _load(self, watch: Watch, target: MockTarget, attack: Attack, nemesis: Nemesis) -> None:
        phases = self._plan.scenario.phases
        self._t0_ns = t0_ns = time.monotonic_ns() + LEAD_NS
        self._record["t0_ns"] = t0_ns
        self._printed["start_to_first_load_s"] = round((t0_ns - self._began_ns) / NS_PER_S, 3)
        self._printed["lender_asked_ns"] = target.asked_ns
        self._printed["lender_up_s"] = round(target.up_s, 3)
        self._write_record()
        target.begins(t0_ns, self._plan.scenario.faults)
        attack.fire(t0_ns, target.base_urls())
        if self._plan.edges or self._plan.faults:
            nemesis.start(t0_ns)
        watch.until(t0_ns, max(0.0, phases.start_s("baseline") - SETTLE_LEAD_S))
        target.settle()
        watch.until(t0_ns, phases.start_s("baseline"))
        cpu_before = target.cpu_s()
        granted_before = attack.progress().granted
        watch.until(t0_ns, phases.start_s("fault"))
        self._note_cpu(target, cpu_before, attack.progress().granted - granted_before)
        watch.until(t0_ns, phases.load_s)
        self._record["load_end_ns"] = t0_ns + int(phases.load_s * NS_PER_S)
        drained = watch.drained(t0_ns, self._bounds(target, t0_ns + int(phases.load_s * NS_PER_S)))
        self._record["drain_end_ns"] = time.monotonic_ns()
        self._record["drained"] = drained
        self._end("complete")

    def _note_cpu(self, target: MockTarget, before: object, granted: int) -> None:
        """CPU of each hop over the baseline, per granted draw: before faults change the mix."""
        after = target.cpu_s()
        if not isinstance(before, dict) or granted <= 0:
            return
        for hop in sorted(after):
            used_ms = (after[hop] - before.get(hop, 0.0)) * 1000
            self._printed[f"cpu_ms_per_draw.{hop}"] = round(used_ms / granted, 3)

    def _bounds(self, target: MockTarget, load_end_ns: int, *, hurry: bool = False) -> Bounds:
        patience = self._plan.scenario.load.patience
        waits_s = 0.0 if hurry else patience.deadline_s
        resolve_s = 0.0 if hurry else target.sweeper_window_s()
        return Bounds.after(load_end_ns, waits_s, resolve_s, patience.attempt_timeout_s)

    def _end_early(
        self,
        watch: Watch,
        target: MockTarget,
        attack: Attack,
        nemesis: Nemesis,
        *,
        hurry: bool = False,
    ) -> None:
        """No more load, heal, and let what is in flight end; with `hurry` it is given up. In either
        case the load's evidence is handed over whole: a stopped drill proves what it has seen."""
        attack.stop_early()
        self._record.setdefault("load_end_ns", time.monotonic_ns())
        nemesis.stop()
        bounds = self._bounds(target, time.monotonic_ns(), hurry=hurry)
        self._record["drained"] = watch.drained_early(bounds, holds=not hurry)
        self._record["drain_end_ns"] = time.monotonic_ns()

    def _close(self, guardian: Guardian, target: MockTarget) -> None:
        target.export()
        if abs(target.wall_clock_moved_s) > WALL_CLOCK_MOVED_S_MAX:
            moved = f"the wall clock was set by {target.wall_clock_moved_s:.3f} s during the run"
            self._record["failures"] = [f"{moved}: the ledger's versions can't be dated"]
        began_ns = time.monotonic_ns()
        target.stop()
        down_s = target.services_down_s + (time.monotonic_ns() - began_ns) / NS_PER_S
        self._printed["lender_down_s"] = round(down_s, 3)
        guardian.check()

    def _write_record(self) -> None:
        self._record["ended"] = self.ended
        self._record["printed"] = self._printed
        self._run.write_json("run.json", self._record)


def prepare(plan: Plan, text: str, files: Mapping[str, bytes], parent: Path) -> RunDir:
    """Step 2: the run directory with the plan in it, and the files that the scenario's text names.

    Raises HarnessError when it can't be made."""
    scenario = plan.scenario
    run = RunDir.create(parent, scenario.name, scenario.seed)
    free_mb = shutil.disk_usage(run.path).free // 2**20
    if free_mb < FREE_MB_MIN:
        raise HarnessError(
            f"No space left: the disk of {run.path} has {free_mb} MB free, "
            f"a drill needs {FREE_MB_MIN} MB"
        )
    run.write_text("scenario.yaml", text)
    for name, data in files.items():
        run.write_bytes(name, data)
    planned = manifest(plan.intents, plan.repayments)
    known = environment(scenario.name, scenario.seed, run.path)
    run.write_json("environment.json", {**known, "plan": planned})
    write_rows(run.stream_path("intents"), "intents", plan.intents)
    write_rows(run.stream_path("repay_intents"), "repay_intents", plan.repayments)
    return run
