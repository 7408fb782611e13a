"""The one actor that injects faults and heals them, and looks at them from outside.

For each fault: its undo goes to the journal, it is injected, watched until it is seen to bite,
watched now and then while it lasts, healed, and watched until it is seen to be gone. Every
transition is a line in faults.jsonl, every call one in audit.log. Whatever happens, what was
injected is healed at the end.

Looks are made beside: a long one at one fault never keeps another waiting. Whatever follows from
them is done in the one thread.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S
from harness.errors import DrawproofError, HarnessError, SafetyError, TargetError
from harness.faults.fault import Fault, Sighting, Surroundings
from harness.guardian.audit_log import AuditLog
from harness.guardian.journal import Journal
from harness.nemesis.life import Life, look_at
from harness.nemesis.places import near
from harness.nemesis.schedule import Planned, pause_s, put_back, schedule

TICK_S = 0.05
BITE_LOOK_S = 0.1
KEEP_LOOK_S = 0.5
HEAL_WITHIN_S = 8.0
# A target that can't heal now is asked again for so long: longer than it is without a primary.
HEALS_WITHIN_S, HEAL_AGAIN_NS = 6.0, NS_PER_S // 2
LOOKS_AT_ONCE = 4
HIT = ("pid", "start_ticks")


class Nemesis:
    """Runs in a thread of the controller from `start` to `stop`.

    max_targets: how many distinct edges, replicas or banks may be faulted at once, whatever the
    schedule says; None: as many as it says.
    """

    def __init__(
        self,
        faults: Sequence[Planned],
        around: Surroundings,
        journal: Journal,
        path: Path,
        max_targets: int | None = None,
    ) -> None:
        self._faults = faults
        self._around = around
        self._journal = journal
        self._path = path
        self._log = AuditLog(path.parent, "nemesis")
        self._max_targets = max_targets
        self._lives = [Life(fault) for fault, _, _ in faults]
        self._looks = ThreadPoolExecutor(LOOKS_AT_ONCE, "look")
        self._failure: str | None = None
        self._abandoned = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, t0_ns: int) -> None:
        """Faults are planned relative to t = 0 at `t0_ns`."""
        for (_, at_s, _), life in zip(self._faults, self._lives, strict=True):
            self._note(life, "planned", t0_ns + round(at_s * NS_PER_S), "")
        self._thread = threading.Thread(
            target=self._run, args=(t0_ns,), name="nemesis", daemon=True
        )
        self._thread.start()

    def active(self) -> list[str]:
        """Names of the faults that are injected and not yet healed."""
        return [life.fault.name for life in self._lives if life.active]

    def failure(self) -> str | None:
        """Why the drill must be aborted: a fault that could not be injected, or would not heal."""
        return self._failure

    def stop(self, *, heal: bool = True) -> None:
        """Heal what is left, and end. Returns when done; safe to call twice.

        Without `heal` it only ends: somebody else has healed, and what is faulted is gone.
        """
        self._abandoned = self._abandoned or not heal
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._looks.shutdown(wait=True)

    def _run(self, t0_ns: int) -> None:
        steps = list(schedule(self._faults, t0_ns))
        for step in steps:
            if step.action == "heal":
                self._lives[step.number].heal_due_ns = step.at_ns
        try:
            while not self._stopping.is_set():
                while steps and steps[0].at_ns <= time.monotonic_ns():
                    step = steps.pop(0)
                    life = self._lives[step.number]
                    if step.action == "inject":
                        self._inject(life)
                    elif not self._done(life, self._heal):
                        put_back(steps, step, time.monotonic_ns() + HEAL_AGAIN_NS)
                self._look_around()
                self._stopping.wait(pause_s(steps, time.monotonic_ns(), TICK_S))
        except (DrawproofError, OSError) as exc:
            self._failure = f"a fault could not be handled: {exc}"
        except BaseException:
            self._failure = "a defect of the fault layer: see what is on stderr"
            raise
        finally:
            self._finish()

    def _inject(self, life: Life) -> None:
        fault = life.fault
        self._check_targets(fault)
        undo = fault.undo(self._around)
        self._journal.plan(fault.name, undo)
        more = {**self._hit(fault), **{k: undo[k] for k in HIT if k in undo}, "undo": undo}
        self._log.note("inject", fault.name, "begun", on=fault.edge_or_replica, more=more)
        before_ns = time.monotonic_ns()
        try:
            self._logged("inject", fault, lambda: fault.inject(self._around))
        except (DrawproofError, OSError):
            life.half = undo  # it may have done half of its work
            self._done(life, self._end)
            raise
        life.injected_ns = time.monotonic_ns()
        self._note(life, "injected", life.injected_ns, "", before_ns)

    def _check_targets(self, fault: Fault) -> None:
        """The plan was checked, but a lender slow to get over one fault has it longer."""
        on = {life.fault.edge_or_replica for life in self._lives if life.active}
        if self._max_targets is not None and len(on | {fault.edge_or_replica}) > self._max_targets:
            raise SafetyError(
                f"{fault.name} would be on target {len(on) + 1} at once, and "
                f"safety.max_targets is {self._max_targets}: {', '.join(sorted(on))} still are"
            )

    def _hit(self, fault: Fault) -> dict[str, Any]:
        """Which process a fault on a replica or bank is about to hit."""
        with contextlib.suppress(DrawproofError):
            return dict(zip(HIT, self._around.replica_pid(fault.edge_or_replica), strict=True))
        return {}

    def _logged(self, what: str, fault: Fault, call: Callable[[], None]) -> None:
        """One call, and how it went."""
        try:
            call()
        except (DrawproofError, OSError) as exc:
            self._log.try_note(what, fault.name, f"{exc}", on=fault.edge_or_replica)
            raise
        self._log.try_note(what, fault.name, "done", on=fault.edge_or_replica)

    def _heal(self, life: Life) -> None:
        fault = life.fault
        if life.injected_ns is None or life.healed_ns is not None:
            return
        self._log.try_note("heal", fault.name, "begun", on=fault.edge_or_replica)
        before_ns = time.monotonic_ns()
        self._logged("heal", fault, lambda: fault.heal(self._around))
        life.healed_ns = time.monotonic_ns()
        life.next_look_ns = 0
        self._note(life, "healed", life.healed_ns, "", before_ns)
        if life.remedied:
            self._journal.done(fault.name)

    def _done(self, life: Life, end: Callable[[Life], None]) -> bool:
        """False: its target can't now, as when its database is being replaced: in a moment, then.
        Who can't for long is given up, and said to be."""
        try:
            end(life)
        except (DrawproofError, OSError) as exc:
            due_ns = life.heal_due_ns or 0
            if isinstance(exc, DrawproofError) and not self._late(due_ns, HEALS_WITHIN_S):
                return False
            self._failure = self._failure or f"a fault could not be healed: {exc}"
        return True

    def _look_around(self) -> None:
        """Take what looks have come back, and begin those that are due."""
        for life in self._lives:
            if life.look is not None and life.look.done():
                self._take(life)
        for life in self._lives:
            now_ns = time.monotonic_ns()
            if life.injected_ns is None or life.over or life.look or now_ns < life.next_look_ns:
                continue
            # One begun before its own heal and ended after it would say neither; but what was not
            # seen yet would never be, were it healed sooner than the longest look could end.
            takes_s = min(life.fault.look_s_max, 2 * life.look_took_s + TICK_S)
            ready_ns = now_ns + takes_s * NS_PER_S
            due_ns = life.heal_due_ns if life.bites and life.healed_ns is None else None
            if due_ns is None or ready_ns < due_ns:
                self._look(life)

    def _look(self, life: Life) -> None:
        life.look_began_ns = time.monotonic_ns()
        life.look = self._looks.submit(look_at, life.fault, self._around)

    def _take(self, life: Life) -> None:
        """One look from outside, and what follows from it. Waits for it."""
        if life.look is None:
            return
        looked, life.look = life.look, None
        defect = looked.exception()
        if defect is not None and not isinstance(defect, DrawproofError | OSError):
            raise HarnessError(f"a look at {life.fault.name} broke: {defect!r}") from defect
        sighting = looked.result()
        life.look_took_s = (time.monotonic_ns() - life.look_began_ns) / NS_PER_S
        # A remedy of the target's own may be seen at any time: look often.
        keep = life.bites and life.healed_ns is None and life.fault.healer != "target"
        life.next_look_ns = time.monotonic_ns() + int(
            (KEEP_LOOK_S if keep else BITE_LOOK_S) * NS_PER_S
        )
        if life.healed_ns is None:
            self._while_injected(life, sighting)
        elif life.look_began_ns < life.healed_ns:
            if sighting.bites:
                self._bites(life, sighting)
        elif sighting.bites is False:
            self._gone(life, sighting)
        elif self._late(self._alone_since_ns(life), HEAL_WITHIN_S):
            life.over = True
            self._failure = f"{life.fault.name} would not heal: {sighting.detail}"
            self._note(life, "failed", sighting.at_ns, self._failure)

    def _while_injected(self, life: Life, sighting: Sighting) -> None:
        if sighting.bites:
            self._bites(life, sighting)
        elif life.bites and sighting.bites is False and life.fault.healer == "target":
            self._gone(life, sighting)
        elif life.bites and sighting.bites is False and sighting.remedied:
            # Our own heal is still to come: until then its undo stays in the journal.
            life.over = life.remedied = True
            self._note(life, "observed_healed", sighting.at_ns, sighting.detail)
        elif not life.bites and self._late(life.injected_ns or 0, life.fault.bites_within_s):
            life.over = True
            self._note(
                life, "failed", sighting.at_ns,
                f"never observed within {life.fault.bites_within_s:g} s: {sighting.detail}",
            )  # fmt: skip

    def _alone_since_ns(self, life: Life) -> int:
        """Since when a healed fault should not be seen any more. While another is on the same
        place, a look may see that one, and says nothing of this."""
        since_ns = life.healed_ns or 0
        for other in self._lives:
            if other is not life and near(other.fault.edge_or_replica, life.fault.edge_or_replica):
                now_ns = time.monotonic_ns() if other.active else 0
                since_ns = max(since_ns, other.healed_ns or now_ns)
        return since_ns

    def _bites(self, life: Life, sighting: Sighting) -> None:
        state = "last_observed" if life.bites else "observed"
        life.bites = True
        self._note(life, state, sighting.at_ns, sighting.detail)

    def _gone(self, life: Life, sighting: Sighting) -> None:
        life.over = True
        self._note(life, "observed_healed", sighting.at_ns, sighting.detail)
        self._journal.done(life.fault.name)

    def _late(self, since_ns: int, within_s: float) -> bool:
        return time.monotonic_ns() - since_ns > within_s * NS_PER_S

    def _finish(self) -> None:
        """Heal what is injected, and see it healed, bounded."""
        if self._abandoned:
            return
        left = self._lives
        for life in left:
            if life.fault.healer == "nemesis" or life.half is not None:
                life.heal_due_ns = time.monotonic_ns()
        while left := [life for life in left if not self._done(life, self._end)]:
            time.sleep(HEAL_AGAIN_NS / NS_PER_S)
        longest_s = max((life.fault.look_s_max for life in self._lives), default=0.0)
        give_up_ns = time.monotonic_ns() + (HEAL_WITHIN_S + longest_s * 2) * NS_PER_S
        try:
            while left := [life for life in self._lives if life.healed_ns and not life.over]:
                self._look_around()
                time.sleep(TICK_S)
                if time.monotonic_ns() > give_up_ns:
                    raise TargetError(f"no look says that {left[0].fault.name} is gone")
        except (DrawproofError, OSError) as exc:
            self._failure = self._failure or f"a fault could not be healed: {exc}"

    def _end(self, life: Life) -> None:
        """Heal it, or have a last look at what nobody heals, or not in time."""
        if life.half is not None:
            life.undo_half(self._path.parent, self._journal)
        elif life.fault.healer == "nemesis":
            self._heal(life)
        elif life.bites and not life.over:
            self._take(life)
            if not life.over:
                self._look(life)
                self._take(life)

    def _note(
        self, life: Life, state: str, at_ns: int, detail: str, before_ns: int | None = None
    ) -> None:
        row = {
            "fault": life.fault.name,
            "edge_or_replica": life.fault.edge_or_replica,
            "healer": "target" if life.remedied else life.fault.healer,
            "state": state,
            "at_ns": at_ns,
            "before_ns": before_ns,
            "detail": detail,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
