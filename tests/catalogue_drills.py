"""The drills of scenarios/, found once for all tests that are about each of them."""

from harness.suite.catalogue import find_drills
from tests.drills import ROOT

DRILLS = find_drills(ROOT / "scenarios")
