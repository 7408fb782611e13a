"""`drawproof lender up --scenario`: the lender that a scenario's load is meant for."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.lender_up import BORROWERS, stock_of
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from tests.drills import ROOT, SMOKE, command

CHANGES = (
    "phases.warmup=1s", "phases.baseline=1s", "phases.fault=1s", "phases.watch=1s", "faults=[]",
    "expect.fault=[]", "load.borrowers=2500", "load.journey.must_refuse=0.2",
    "load.shape.rate=40/s", "load.shape.steps=[]",
)  # fmt: skip


@contextmanager
def lender(out: Path, *arguments: str) -> Iterator[str]:
    """What it has said when it is up; it is stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "lender", "up", "--out", str(out), *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said
        process.terminate()
        assert "nothing is left running" in process.stdout.read()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.slow
def test_the_load_that_it_names_is_answered_as_planned(tmp_path: Path) -> None:
    """The command is run as printed, by the interpreter of the tests."""
    changes = [word for change in CHANGES for word in ("--set", change)]
    with lender(tmp_path / "lender", "--scenario", str(SMOKE), *changes) as said:
        assert "2,500 borrowers, tiers own, partner-a, profile full" in said
        (line,) = re.findall(r"^ +(locust .*)$", said, re.MULTILINE)
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(line), "--runs", str(tmp_path / "runs")],
            cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]  # below Locust's tables
    run = (tmp_path / "runs" / "latest").resolve()
    assert re.match(r"drawproof: (\d+) of \1 planned draws offered: \d+ granted, \d+ refused", last)
    assert "(all as planned)" in last
    assert last.endswith(f"the evidence is complete; {run}")
    told = command("recheck", str(run))
    assert told.exit == 3
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["generator"]["workers"] == 1
    found = verdict["load_alone"]
    assert found["ends"].keys() == {"granted", "refused"}
    assert found["refused_as_planned"] == found["ends"]["refused"] > 0
    assert (found["granted_against_plan"], found["requests"]["strangers"]) == (0, 0)
    assert found["requests"]["silent"] == []


def test_it_has_what_a_drill_of_the_scenario_would_have() -> None:
    changes = ["load.borrowers=2500", "lender.tiers={own: 30 %, partner-a: 70 %}", "faults=[]"]
    stock = stock_of(SMOKE, changes, "naive")
    plan = make_plan(load_scenario(SMOKE, changes, "naive").scenario)
    assert (stock.spec, stock.people) == (plan.scenario.lender, plan.population)
    assert (stock.funding, stock.spec.profile) == (plan.funding, "naive")
    assert len(stock.people) == 2500
    assert len(stock_of(None, [], None).people) == BORROWERS


def test_changes_of_no_scenario_are_refused() -> None:
    ran = command("lender", "up", "--set", "load.borrowers=10")
    assert ran.exit == 2
    assert "--set" in ran.err
    assert "--scenario" in ran.err
