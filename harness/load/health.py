"""Was the generator itself well? One row a second: lateness, stalls, garbage, the machine."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_S


@dataclass
class SecondOfHealth:
    """What one second gathers; ns unless named otherwise."""

    sent: int = 0
    late_ns: list[int] = field(default_factory=list)
    connect_ns: list[int] = field(default_factory=list)
    lag_ns: list[int] = field(default_factory=list)
    dropped: int = 0
    gc_ns: int = 0


class Health:
    """Gathers by second from t = 0. `close_second` gives the row of `generator`."""

    def __init__(self, worker: str, clock: Callable[[], int]) -> None:
        self._worker = worker
        self._clock = clock
        self._now = SecondOfHealth()
        self._gc_began_ns = 0
        self._cpu_s = time.process_time()
        self._pressure_us = read_pressure_us()
        self._steal = read_steal_ticks()
        self._wall_ns = clock()
        gc.callbacks.append(self._collected)

    def sent(self, late_ns: int, connect_ns: int) -> None:
        """An attempt left: how late, and how long it took to obtain a connection."""
        self._now.sent += 1
        self._now.late_ns.append(late_ns)
        self._now.connect_ns.append(connect_ns)

    def lag(self, lag_ns: int) -> None:
        """A heartbeat woke up this much too late."""
        self._now.lag_ns.append(lag_ns)

    def dropped(self) -> None:
        """An intent could not be offered at all."""
        self._now.dropped += 1

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        now_ns = self._clock()
        if phase == "start":
            self._gc_began_ns = now_ns
        else:
            self._now.gc_ns += now_ns - self._gc_began_ns

    def close_second(self, second: int) -> tuple[object, ...]:
        """The row of the second that has ended, and a fresh start."""
        done, self._now = self._now, SecondOfHealth()
        wall_ns, cpu_s = self._clock(), time.process_time()
        wall_s = max((wall_ns - self._wall_ns) / NS_PER_S, 1e-6)
        pressure_us, steal = read_pressure_us(), read_steal_ticks()
        row = (
            self._worker,
            second,
            done.sent,
            max(done.late_ns, default=0),
            quantile(done.late_ns, 0.99),
            max(done.lag_ns, default=0),
            done.dropped,
            done.gc_ns,
            round((cpu_s - self._cpu_s) / wall_s, 4),
            _share(pressure_us, self._pressure_us, wall_s * 1e6),
            _share(steal, self._steal, wall_s * 100),
            quantile(done.lag_ns, 0.99),
            quantile(done.connect_ns, 0.99),
            max(done.connect_ns, default=0),
        )
        self._wall_ns, self._cpu_s = wall_ns, cpu_s
        self._pressure_us, self._steal = pressure_us, steal
        return row


def quantile(values: list[int], share: float) -> int:
    """The smallest value that at least `share` of them do not exceed; 0 of none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def read_pressure_us() -> int | None:
    """Total time some task waited for a CPU, µs; None where the kernel does not say."""
    try:
        line = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return int(line.rpartition("total=")[2])


def read_steal_ticks() -> int | None:
    """Time stolen by the hypervisor over all CPUs, in ticks of 1/100 s."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return int(fields[8]) if len(fields) > 8 else None


def _share(now: int | None, before: int | None, whole: float) -> float | None:
    if now is None or before is None:
        return None
    return round(max(0.0, (now - before) / whole), 4)
