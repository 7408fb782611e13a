"""A drill in this process, from its run directory to evidence that can be judged."""

import sys

from harness.drill import Drill
from harness.evidence.store import RunDir
from harness.plan import Plan
from harness.report.live import LiveView
from harness.stopping import StopFlag


def drill_here(plan: Plan, run: RunDir, stop: StopFlag) -> str:
    """Run it with a live view, and put its evidence in order; how it ended, as run.json says."""
    live = LiveView(sys.stdout)
    drill = Drill(plan, run, stop, live.show)
    drill.run()
    live.close()
    run.compact()
    return drill.ended
