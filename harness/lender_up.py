"""`drawproof lender up`: the mock lender alone, to be looked at, and for a load by plain Locust."""

import json
import secrets
import shlex
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import Problem, ScenarioError, TargetError
from harness.evidence.rows import Borrower
from harness.evidence.store import RunDir
from harness.faults.sample import LENDER
from harness.guardian.client import Guardian
from harness.load.funds import Funding, plain_funding
from harness.plan import make_plan
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.model import LenderSpec
from harness.stopping import Interrupted, StopFlag
from harness.target.mock import UP_WITHIN_S, MockTarget

BORROWERS = 1000
LIMIT_FEN = 5_000_000
TIER_FEN = 10_000_000_000
LOCUSTFILE = Path(__file__).with_name("load") / "locustfile.py"


@dataclass(frozen=True, slots=True)
class Stock:
    """What a lender begins with. loaded: the scenario that it is of, if any."""

    spec: LenderSpec
    people: tuple[Borrower, ...]
    funding: Funding
    loaded: Loaded | None = None


def plain_stock(profile: str | None) -> Stock:
    """A thousand borrowers with one limit each, and plenty of money; profile `full` by default."""
    people = tuple(
        Borrower(number, "regular", LIMIT_FEN, barred=False, delinquent=False)
        for number in range(1, BORROWERS + 1)
    )
    spec = replace(LENDER, profile=profile or LENDER.profile)
    return Stock(spec, people, plain_funding(spec, TIER_FEN))


def stock_of(scenario: Path | None, overrides: list[str], profile: str | None) -> Stock:
    """The lender, borrowers and balances that a drill of the scenario would have.

    Raises ScenarioError, also for overrides of nothing.
    """
    if scenario is None:
        if overrides:
            found = f"{overrides[0]!r} without a scenario"
            problem = Problem("the command line", 0, "--set", found, "it together with --scenario")
            raise ScenarioError((problem,))
        return plain_stock(profile)
    loaded = load_scenario(scenario, overrides, profile)
    plan = make_plan(loaded.scenario, loaded.where)
    return Stock(plan.scenario.lender, plan.population, plan.funding, loaded)


def lender_up(stock: Stock, out: Path) -> int:
    """Start it, say where it is, wait for Ctrl-C or SIGTERM; leaves its logs and its scenario."""
    stop = StopFlag()
    stop.install()
    run = RunDir.create(out, "lender", stock.loaded.scenario.seed if stock.loaded else 0)
    if stock.loaded is not None:
        run.write_text("scenario.yaml", stock.loaded.text)
        for name, data in stock.loaded.files.items():
            run.write_bytes(name, data)
    try:
        with Guardian.start(run.path) as guardian:
            token = secrets.token_hex(16)
            run.write_token(token)
            target = MockTarget(
                guardian, run, stock.spec, stock.people, stock.funding, token, None, ()
            )
            target.start()
            _wait(target, guardian, stop)
            target.begins(time.monotonic_ns(), ())
            print(_announcement(target, stock, run.path))
            sys.stdout.flush()
            while True:
                stop.check()
                guardian.check()
                for gone in guardian.exits():
                    raise TargetError(f"{gone.name} ended by itself (status {gone.status})")
                time.sleep(0.1)
    except Interrupted:
        print("stopped; nothing is left running")
        return 0


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


def _announcement(target: MockTarget, stock: Stock, directory: Path) -> str:
    urls = list(target.base_urls().values())
    body = json.dumps({"borrower": 1, "amount_fen": 100_00, "purpose": "education"})
    lines = [f"the lender is up after {target.up_s:.1f} s: {', '.join(urls)}"]
    if stock.loaded is None:
        lines.append(
            f"  borrowers 1 to {BORROWERS}, each with a limit of {LIMIT_FEN} fen; "
            f"logs in {directory}"
        )
    else:
        tiers = ", ".join(tier for tier, _ in stock.spec.tier_shares)
        lines += [
            f"  of {stock.loaded.scenario.name}: {len(stock.people):,} borrowers, tiers {tiers}, "
            f"profile {stock.spec.profile}; logs in {directory}",
            "  its load, once: the keys of a second time would be answered with the first one's",
            f"  {_locust(directory / 'scenario.yaml', urls)}",
        ]
    lines += [
        f"  curl {urls[0]}/v1/borrowers/1/quota",
        f"  curl -X POST {urls[0]}/v1/draws -H 'Content-Type: application/json' "
        f"-H 'Idempotency-Key: my-first-draw' -d '{body}'",
        "Ctrl-C (or SIGTERM) stops it.",
    ]
    return "\n".join(lines)


def _locust(scenario_yaml: Path, urls: list[str]) -> str:
    """The command that loads it as planned: the resolved scenario, so that --set is in it."""
    return shlex.join(
        ["locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary",
         "--scenario", str(scenario_yaml), "--host", ",".join(urls)]
    )  # fmt: skip
