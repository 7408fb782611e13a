"""Waits and the heartbeat of a load worker, in a process of their own: gevent stays out of ours."""

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

BEGIN = """
import json, random, sys, time
import gevent
from harness.load import alarm
if sys.argv[1] == "without":
    def none(self):
        raise OSError("no timerfd here")
    alarm._Timer.__init__ = none
clock = time.monotonic_ns
"""

WAITS = """
wake = alarm.Alarm(clock)
began_ns, woke = clock(), []
def one(at_ns):
    wake.wait_until(at_ns)
    woke.append((at_ns, clock()))
dice = random.Random(1)
due = [began_ns + round(dice.uniform(-5e6, 2e8)) for _ in range(300)]
waits = [gevent.spawn(one, at_ns) for at_ns in due]
doomed = gevent.spawn(wake.wait_until, began_ns + 50_000_000)
gevent.sleep(0.01)
doomed.kill()
done = gevent.joinall(waits, timeout=20)
print(json.dumps({"woke": woke, "due": sorted(due), "began_ns": began_ns}))
"""

BEATS = """
late = []
heart = alarm.Heartbeat(10_000_000, late.append)
gevent.sleep(0.1)
calm, late[:] = list(late), []
time.sleep(0.3)            # nothing is served meanwhile
gevent.sleep(0.05)
busy = max(late)
heart.stop()
late.clear()
gevent.sleep(0.05)
print(json.dumps({"beats": len(calm), "busy_ns": busy, "after": len(late)}))
"""


def told(script: str, how: str) -> dict[str, Any]:
    """What the script says, with the kernel's timer or without."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, how],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("how", ["with", "without"])
def test_everybody_is_woken_and_nobody_early(how: str) -> None:
    said = told(WAITS, how)
    assert sorted(at_ns for at_ns, _ in said["woke"]) == said["due"]
    early = [(at_ns, now_ns) for at_ns, now_ns in said["woke"] if now_ns < at_ns]
    # gevent's timers, where there are no others, may be a little early.
    assert all(how == "without" and at_ns - now_ns < 2_000_000 for at_ns, now_ns in early)


def test_who_is_due_first_goes_first() -> None:
    said = told(WAITS, "with")
    waited = [at_ns for at_ns, _ in said["woke"] if at_ns > said["began_ns"] + 30_000_000]
    # Two readings of the clock lie between what is asked for and what the kernel is told.
    assert all(later > sooner - 2_000_000 for sooner, later in pairwise(waited))
    assert len(waited) > 200


@pytest.mark.parametrize("how", ["with", "without"])
def test_a_loop_that_serves_nobody_is_found_out(how: str) -> None:
    said = told(BEATS, how)
    assert said["beats"] >= 2
    assert said["busy_ns"] >= 250_000_000
    assert said["after"] == 0
