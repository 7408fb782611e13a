"""The run directories kept in tests/data: small real drills, each with the verdict that it had."""

from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
KEPT = ("held", "breached", "cut")
EXPECTED = "expected-verdict.json"
