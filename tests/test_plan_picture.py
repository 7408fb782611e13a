"""`drawproof plan`: the picture of a scenario, and what so few draws can't prove."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.evidence.fingerprint import fingerprint
from harness.plan import Plan, make_plan
from harness.report.plan_picture import ASCII, BLOCKS, Pen, pen_for, picture
from harness.scenario.grammar import parse_expectation
from harness.scenario.loader import load_scenario
from harness.scenario.planned import too_few
from tests.drills import NAIVE, ROOT, SMOKE, command

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

# 70 columns of a second, so that every row can be checked by eye.
SMALL = (
    "name=small", "load.spacing=even", "load.journey.must_refuse=0",
    "phases={warmup: 5s, baseline: 25s, fault: 20s, watch: 20s}",
    "load.shape=[{kind: steady, rate: 20/s}, "
    "{kind: ramp, rate: 0/s, to: 40/s, at: fault, rise: 20s}, "
    "{kind: spike, rate: 0/s, spikes: [{at: baseline+5s, for: 500ms, rate: 60/s}]}]",
    "faults=[{process: kill, target: ledger-1, at: fault+10s}, "
    "{database: kill_primary, at: watch}, "
    '{network: latency, edge: "gateway->bank.own", latency: 1s, at: fault+5s, for: 12.5s}]',
    "expect={baseline: [guarantee >= 90 %]}",
)  # fmt: skip
PICTURE = """\
small
cause system, seed 20260211, profile full; load: steady + ramp + spike, evenly spaced

    80/s │          █
         │          █
         │          █                                  ▂▃▅▆█████████████████████
         │          █                             ▂▃▅▆██████████████████████████
    40/s │          █                        ▂▃▅▆███████████████████████████████
         │          █                   ▂▃▅▆████████████████████████████████████
         │██████████████████████████████████████████████████████████████████████
         │██████████████████████████████████████████████████████████████████████
       0 │┬─────────┬─────────┬─────────┬─────────┬─────────┬─────────┬─────────
          0 s       10 s      20 s      30 s      40 s      50 s      60 s
  phases  │warm│baseline                │fault              │watch
 fault 1                                          █┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
 fault 2                                                    █┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
 fault 3                                     █████████████

 fault 1  process: kill ledger-1, at 40 s for good
 fault 2  database: kill_primary, at 50 s until the lender is over it
 fault 3  network: latency gateway->bank.own, at 35 s for 12.5 s

phase       from  length      planned rate   draws refused promised         yuan
warmup       0 s     5 s              20/s      99       0       99      111,322
baseline     5 s    25 s        20/s..80/s     530       0      530      610,962
fault       30 s    20 s        20/s..60/s     800       0      800      935,722
watch       50 s    20 s              60/s    1200       0     1200    1,526,543
all                 70 s                      2629       0     2629    3,184,549

refused: these must be. promised, yuan: what the phase is judged by; warmup
counts in the total alone.

borrowers   20,000: 5,932 new, 9,989 regular, 4,079 prime; 413 in arrears
            2,629 of them draw, all in turn; the most frequent once
limits      50,000 to 300,000 yuan each
amounts     log-uniform, 100 to 5,000 yuan
repaid      nothing
quota looks about 1314 looks at the quota, before 50 % of the draws
workers     1 load process
intents     INTENTS
repayments  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            (SHA-256, as in environment.json of a run)
"""


def small(pen: Pen) -> list[str]:
    return picture(drawn(SMALL), pen).splitlines()


def drawn(overrides: tuple[str, ...]) -> Plan:
    return make_plan(load_scenario(SMOKE, overrides, None).scenario)


def test_the_picture_of_a_small_scenario() -> None:
    intents = fingerprint(drawn(SMALL).intents)
    assert small(BLOCKS) == PICTURE.replace("INTENTS", intents).splitlines()


def test_all_of_a_load_is_told() -> None:
    """Crowds, a law, repayments, workers: each in a line of its own."""
    plan = drawn((
        "load.population={zipf: 0.9, limits: 4, amounts: {median: 700 yuan, sigma: 1.5}}",
        "load.journey.repay=50 %", "load.journey.repay_after=1s..4s", "load.journey.hot=10 %",
        "load.workers=2", "load.journey.quota=0",
    ))  # fmt: skip
    told = picture(plan, BLOCKS)
    made = [one for one in plan.repayments if plan.fates[one.intent] == "promised"]
    assert 0 < len(made) < len(plan.repayments)
    money = f"{round(sum(one.amount_fen for one in made) / 100):,}"
    for words in (
        "by Zipf's law, 0.9; the most frequent ", "10 % of the draws in crowds of one borrower",
        "limits      200,000 to 1,200,000 yuan each",
        "log-normal, median 700, sigma 1.5, 100 to 5,000 yuan",
        f"repaid      {len(made)} times, {money} yuan, from ",
        "50 % of the granted draws, 1 s to 4 s after they were due",
        "quota looks none\n", "workers     2 load processes", fingerprint(plan.repayments),
    ):  # fmt: skip
        assert words in told, words
    assert max(map(len, told.splitlines())) <= 80


def test_it_fits_into_80_columns_and_in_ascii() -> None:
    for pen in (BLOCKS, ASCII):
        lines = small(pen)
        assert max(map(len, lines)) <= 85  # the kinds of three shapes in words
        assert max(map(len, lines[3:])) <= 80
    assert "\n".join(small(ASCII)).isascii()
    shapes = [line[10:] for line in small(BLOCKS)[3:11]]
    for blocks, plain in zip(shapes, [line[10:] for line in small(ASCII)[3:11]], strict=True):
        assert len(blocks) == len(plain)


@pytest.mark.parametrize(
    ("encoding", "pen"),
    [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("nonsense", ASCII)],
)
def test_plain_letters_where_blocks_can_not_be_written(encoding: str | None, pen: Pen) -> None:
    assert pen_for(encoding) is pen


def test_the_command_draws_warns_and_starts_nothing(tmp_path: Path) -> None:
    ran = command("plan", str(SMOKE), "--set", "expect.fault=[guarantee >= 99.9 %]")
    assert ran.exit == 0
    assert "55/s" in ran.out
    assert "fault 2  network: latency gateway->bank.partner-a, at 17 s for 10 s" in ran.out
    assert "one single broken one breaks this bound; 2995 are needed" in ran.err
    plain = subprocess.run(
        [sys.executable, "-m", "harness.cli", "plan", str(SMOKE)],
        cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True,
    )  # fmt: skip
    assert plain.stdout.isascii()
    assert b"|####" in plain.stdout


def test_a_scenario_error_is_told_as_by_validate() -> None:
    ran = command("plan", str(SMOKE), "--set", "load.shape.rat=80/s")
    assert ran.exit == 2
    assert "load.shape.rat" in ran.err


# As the smoke scenario's plan shows.
PROMISED = {"warmup": 80, "baseline": 332, "fault": 815, "watch": 602, "drill": 1829}


def test_the_figures_below_are_the_plans() -> None:
    assert {phase: count.promised for phase, count in drawn(()).counts.items()} == PROMISED


def warnings(phase: str, expectation: str) -> str:
    """Of one expectation of the smoke scenario."""
    one = parse_expectation(expectation, phase)
    return "\n".join(map(str, too_few((one,), PROMISED, PROMISED)))


@pytest.mark.parametrize(
    ("phase", "expectation", "words"),
    [
        ("baseline", "p99.9 < 400 ms", "0.3 beyond the quantile, inconclusive below 10; 10000 are"),
        ("baseline", "p99 < 400 ms", "3.3 beyond the quantile, inconclusive below 10; 1000 are"),
        ("baseline", "p95 < 400 ms", ""),
        ("fault", "p99 < 400 ms", "815 promised draws are planned: 8.2 beyond"),
        ("fault", "p99 <= 2 x baseline", "332 promised draws are planned: 3.3 beyond"),
        ("baseline", "guarantee >= 99 %", ""),
        ("baseline", "guarantee >= 99.2 %", "reaches down to 99.1 %, below the bound; 373 are"),
        ("baseline", "guarantee >= 99.8 %", "one single broken one breaks this bound; 1497 are"),
        ("fault", "guarantee >= 99.8 %", "reaches down to 99.63 %, below the bound; 1497"),
        ("fault", "access_money > 99.9 %", "one single broken one breaks this bound; 2995 are"),
        ("fault", "guarantee >= 0.999 x baseline", "one single broken one"),
        ("fault", "guarantee >= 100 %", ""),
        ("fault", "guarantee <= 99.9 %", ""),
        ("fault", "broken <= 3", ""),
    ],
)
def test_what_so_few_draws_can_not_prove(phase: str, expectation: str, words: str) -> None:
    found = warnings(phase, expectation)
    assert words in found
    assert bool(words) == bool(found)


def test_the_drill_is_all_of_it_and_a_trace_counts_by_its_rows(tmp_path: Path) -> None:
    assert "1829 promised draws are" in warnings("drill", "guarantee >= 99.9 %")
    trace = tmp_path / "t.csv"
    trace.write_text("due_s\n" + "".join(f"{n / 10}\n" for n in range(200)))
    text = SMOKE.read_text().replace("{kind: steady, rate: 30/s, steps: [{at: fault+0s, rate: 55/s"
                                     "}]}", "{kind: trace, file: t.csv}")  # fmt: skip
    (tmp_path / "s.yaml").write_text(text)
    loaded = load_scenario(tmp_path / "s.yaml", ("load.journey.must_refuse=0",), None)
    plan = make_plan(loaded.scenario)
    told = "\n".join(map(str, plan.too_few))
    # 120 of the baseline, less the 5 that straddle the first bite at 16 s.
    assert "guarantee >= 99 %: 115 promised draws are planned" in told
    assert "watch: no promised draw is planned" in told
    drawn = picture(plan, BLOCKS)
    assert "5 draws due before the fault phase, and within 1.5 s (attempt_timeout)" in drawn
    assert "load: trace\n" in drawn
    baseline = next(line for line in drawn.splitlines() if line.startswith("baseline"))
    assert baseline.split()[-4:-1] == ["120", "0", "115"]


def test_the_smoke_scenarios_expect_what_they_can_prove() -> None:
    for path in (SMOKE, NAIVE):
        loaded = load_scenario(path, (), None)
        assert not loaded.warnings, path
        assert not make_plan(loaded.scenario).too_few, path
