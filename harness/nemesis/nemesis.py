"""The one actor that injects faults and heals them, and looks at them from outside.

For each fault: its undo goes to the journal, it is injected, watched until it is seen to bite,
watched now and then while it lasts, healed, and watched until it is seen to be gone. Every
transition is a line in faults.jsonl. Whatever happens, what was injected is healed at the end.
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S
from harness.errors import DrawproofError
from harness.faults.fault import Fault, Sighting, Surroundings
from harness.guardian.journal import Journal
from harness.nemesis.schedule import Planned, schedule

TICK_S = 0.05
BITE_LOOK_S = 0.1
KEEP_LOOK_S = 0.5
HEAL_WITHIN_S = 8.0


@dataclass
class Life:
    """Where one fault is in its life."""

    fault: Fault
    injected_ns: int | None = None
    bites: bool = False
    healed_ns: int | None = None
    over: bool = False
    next_look_ns: int = 0


class Nemesis:
    """Runs in a thread of the controller from `start` to `stop`."""

    def __init__(
        self, faults: Sequence[Planned], around: Surroundings, journal: Journal, path: Path
    ) -> None:
        self._faults = faults
        self._around = around
        self._journal = journal
        self._path = path
        self._lives = [Life(fault) for fault, _, _ in faults]
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
        return [
            life.fault.name
            for life in self._lives
            if life.injected_ns is not None and life.healed_ns is None and not life.over
        ]

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

    def _run(self, t0_ns: int) -> None:
        steps = list(schedule(self._faults, t0_ns))
        try:
            while not self._stopping.is_set():
                while steps and steps[0].at_ns <= time.monotonic_ns():
                    step = steps.pop(0)
                    life = self._lives[step.number]
                    (self._inject if step.action == "inject" else self._heal)(life)
                next_ns = steps[0].at_ns if steps else None
                self._look_around(next_ns)
                self._stopping.wait(self._pause_s(next_ns))
        except (DrawproofError, OSError) as exc:
            self._failure = f"a fault could not be handled: {exc}"
        finally:
            self._finish()

    def _pause_s(self, next_ns: int | None) -> float:
        if next_ns is None:
            return TICK_S
        return max(0.0, min(TICK_S, (next_ns - time.monotonic_ns()) / NS_PER_S))

    def _inject(self, life: Life) -> None:
        self._journal.plan(life.fault.name, life.fault.undo(self._around))
        before_ns = time.monotonic_ns()
        life.fault.inject(self._around)
        life.injected_ns = time.monotonic_ns()
        self._note(life, "injected", life.injected_ns, "", before_ns)

    def _heal(self, life: Life) -> None:
        if life.injected_ns is None or life.healed_ns is not None:
            return
        before_ns = time.monotonic_ns()
        life.fault.heal(self._around)
        life.healed_ns = time.monotonic_ns()
        self._note(life, "healed", life.healed_ns, "", before_ns)

    def _look_around(self, next_ns: int | None = None) -> None:
        """Look at what is due to be looked at; none is begun that would delay the next step."""
        # Who has not been seen to bite yet comes first: a long look at another must not hide how a
        # short fault began.
        for life in sorted(self._lives, key=lambda life: life.bites):
            now_ns = time.monotonic_ns()
            if life.injected_ns is None or life.over or now_ns < life.next_look_ns:
                continue
            if next_ns is None or now_ns + life.fault.look_s_max * NS_PER_S < next_ns:
                self._look(life)

    def _look(self, life: Life) -> None:
        """One look from outside, and what follows from it."""
        injected_ns = life.injected_ns or 0
        sighting = life.fault.observe(self._around)
        # A remedy of the target's own may be seen at any time: look often.
        keep = life.bites and life.healed_ns is None and life.fault.healer != "target"
        life.next_look_ns = time.monotonic_ns() + int(
            (KEEP_LOOK_S if keep else BITE_LOOK_S) * NS_PER_S
        )
        if life.healed_ns is None:
            if sighting.bites:
                state = "last_observed" if life.bites else "observed"
                life.bites = True
                self._note(life, state, sighting.at_ns, sighting.detail)
            elif life.bites and sighting.bites is False and life.fault.healer == "target":
                self._gone(life, sighting)
            elif not life.bites and self._late(injected_ns, life.fault.bites_within_s):
                life.over = True
                self._note(
                    life, "failed", sighting.at_ns,
                    f"never observed within {life.fault.bites_within_s:g} s: {sighting.detail}",
                )  # fmt: skip
        elif sighting.bites is False:
            self._gone(life, sighting)
        elif self._late(life.healed_ns, HEAL_WITHIN_S):
            life.over = True
            self._failure = f"{life.fault.name} would not heal: {sighting.detail}"
            self._note(life, "failed", sighting.at_ns, self._failure)

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
        for life in self._lives:
            try:
                if life.fault.healer == "nemesis":
                    self._heal(life)
                elif life.bites and not life.over:
                    self._look(life)  # its last sighting
            except (DrawproofError, OSError) as exc:
                # The others are healed all the same.
                self._failure = self._failure or f"a fault could not be healed: {exc}"
        try:
            while any(life.healed_ns is not None and not life.over for life in self._lives):
                self._look_around()
                time.sleep(TICK_S)
        except (DrawproofError, OSError) as exc:
            self._failure = self._failure or f"a fault could not be healed: {exc}"

    def _note(
        self, life: Life, state: str, at_ns: int, detail: str, before_ns: int | None = None
    ) -> None:
        row = {
            "fault": life.fault.name,
            "edge_or_replica": life.fault.edge_or_replica,
            "healer": life.fault.healer,
            "state": state,
            "at_ns": at_ns,
            "before_ns": before_ns,
            "detail": detail,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
