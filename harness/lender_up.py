"""`drawproof lender up`: the mock lender alone, to be looked at and tried by hand."""

import json
import secrets
import sys
import time
from dataclasses import replace
from pathlib import Path

from harness.errors import TargetError
from harness.evidence.rows import Borrower
from harness.evidence.store import RunDir
from harness.faults.sample import LENDER
from harness.guardian.client import Guardian
from harness.stopping import Interrupted, StopFlag
from harness.target.mock import UP_WITHIN_S, MockTarget

BORROWERS = 1000
LIMIT_FEN = 5_000_000
TIER_FEN = 10_000_000_000


def lender_up(profile: str, out: Path) -> int:
    """Start it, say where it is, wait for Ctrl-C or SIGTERM; leaves only its logs."""
    stop = StopFlag()
    stop.install()
    run = RunDir.create(out, "lender", 0)
    try:
        with Guardian.start(run.path) as guardian:
            target = _target(guardian, run, profile)
            target.start()
            _wait(target, guardian, stop)
            _announce(target, run.path)
            while True:
                stop.check()
                guardian.check()
                for gone in guardian.exits():
                    raise TargetError(f"{gone.name} ended by itself (status {gone.status})")
                time.sleep(0.1)
    except Interrupted:
        print("stopped; nothing is left running")
        return 0


def _target(guardian: Guardian, run: RunDir, profile: str) -> MockTarget:
    token = secrets.token_hex(16)
    run.write_token(token)
    spec = replace(LENDER, profile=profile)
    people = (
        Borrower(number, "regular", LIMIT_FEN, barred=False, delinquent=False)
        for number in range(1, BORROWERS + 1)
    )
    balances_fen = {tier: TIER_FEN for tier, _ in spec.tier_shares}
    return MockTarget(guardian, run, spec, people, balances_fen, token, None, ())


def _wait(target: MockTarget, guardian: Guardian, stop: StopFlag) -> None:
    give_up_s = time.monotonic() + UP_WITHIN_S
    while not target.poll_ready():
        stop.check()
        guardian.check()
        for gone in guardian.exits():
            raise TargetError(target.died(gone.status))
        if time.monotonic() > give_up_s:
            raise TargetError(f"the lender was not up within {UP_WITHIN_S:.0f} s")
        time.sleep(0.02)


def _announce(target: MockTarget, directory: Path) -> None:
    urls = list(target.base_urls().values())
    body = json.dumps({"borrower": 1, "amount_fen": 100_00, "purpose": "education"})
    print(f"the lender is up after {target.up_s:.1f} s: {', '.join(urls)}")
    print(
        f"  borrowers 1 to {BORROWERS}, each with a limit of {LIMIT_FEN} fen; logs in {directory}"
    )
    print(f"  curl {urls[0]}/v1/borrowers/1/quota")
    print(
        f"  curl -X POST {urls[0]}/v1/draws -H 'Content-Type: application/json' "
        f"-H 'Idempotency-Key: my-first-draw' -d '{body}'"
    )
    print("Ctrl-C (or SIGTERM) stops it.")
    sys.stdout.flush()
