"""An abort rule judges the draws due within its own `for`, and nothing that came before."""

import json
import os
import signal
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.evidence.rows import Intent
from harness.guardian.journal import Journal
from harness.load.attack import LIVE_S, Progress, window_ms
from harness.load.tally import Tally
from harness.scenario.grammar import parse_abort
from harness.scenario.model import AbortRule
from harness.watch import broken_rule
from tests.drills import SMOKE, Running, drill, short, whole_up_to_the_stop

RATE_PER_S = 20
TIMEOUT_S = 1.5
ANSWER_S = 0.1
SAID_EVERY_S = 0.5


def first_broken_s(
    rule: AbortRule, out_s: tuple[float, float], load_s: float, ends: str = "failed"
) -> float | None:
    """A simulated load: all is granted but what falls due within `out_s`, which ends as `ends`.
    The load says how it stands twice a second; when is the rule first broken?"""
    intents = [
        Intent(n, "", n, "", 0, "", int(n / RATE_PER_S * NS_PER_S), "", False)
        for n in range(int(load_s * RATE_PER_S))
    ]
    tally, left = Tally(intents), list(intents)
    at_s = 0.0
    while at_s < load_s:
        at_ns = int(at_s * NS_PER_S)
        while left and left[0].due_ns + ANSWER_S * NS_PER_S <= at_ns:
            one = left.pop(0)
            out = out_s[0] <= one.due_ns / NS_PER_S < out_s[1]
            tally.end(one.intent, ends if out else "granted")
        windows = (window_ms(rule.for_s), window_ms(LIVE_S))
        said = tally.counts(at_ns, int(TIMEOUT_S * NS_PER_S), windows)
        recent = {name: count for name, count in said.items() if name.startswith("recent")}
        if broken_rule((rule,), Progress(recent=recent)) is not None:
            return at_s
        at_s += SAID_EVERY_S
    return None


@pytest.mark.parametrize("good_s", [10.0, 300.0])
@pytest.mark.parametrize("text", ["estimate < 50 % for 2 s", "estimate < 20 % for 10 s"])
def test_a_total_outage_breaks_any_rule_however_long_all_was_well(text: str, good_s: float) -> None:
    rule = parse_abort(text)
    at_s = first_broken_s(rule, (good_s, good_s + 40), good_s + 60)
    assert at_s is not None
    assert good_s + TIMEOUT_S < at_s <= good_s + rule.for_s + TIMEOUT_S + SAID_EVERY_S


def test_a_dip_shorter_than_the_rule_says_breaks_nothing() -> None:
    rule = parse_abort("estimate < 20 % for 10 s")
    assert first_broken_s(rule, (20, 27.5), 60) is None
    assert first_broken_s(rule, (20, 29), 60) is not None


def test_no_data_breaks_nothing() -> None:
    """Neither before the window is full nor when all was refused: blindness has its own rule."""
    rule = parse_abort("estimate < 50 % for 4 s")
    assert Progress().estimate(4) is None
    assert broken_rule((rule,), Progress()) is None
    assert first_broken_s(rule, (0, 60), 5) is None, "the window reaches back before t = 0"
    assert first_broken_s(rule, (0, 60), 7) == 5.5
    assert first_broken_s(rule, (20, 60), 60, "refused") is None


def test_a_window_too_short_to_say_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="1s or longer"):
        parse_abort("estimate < 20 % for 200ms")


@pytest.mark.drill
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_total_outage_aborts_a_drill_in_time(tmp_path: Path) -> None:
    """Both gateways are killed; the evidence is whole up to the stop, and is audited."""
    ran = drill(
        tmp_path,
        str(SMOKE),
        *short(
            "faults=[{process: kill, target: gateway-1, at: fault+1s, for: 8s},"
            " {process: kill, target: gateway-2, at: fault+1s, for: 8s}]",
            "phases.fault=12s",
            "abort=[estimate < 50 % for 2 s]",
        ),
    )
    assert ran.exit == 4, ran.out + ran.err
    assert "abort rule: estimate < 50 % for 2 s" in ran.verdict["reason"]
    assert ran.run is not None
    record = json.loads((ran.run / "run.json").read_text())
    bites_s = [fault["observed_s"] for fault in ran.verdict["faults"]]
    stopped_s = (record["load_end_ns"] - record["t0_ns"]) / NS_PER_S
    assert stopped_s - max(bites_s) < 2 + TIMEOUT_S + 2
    whole_up_to_the_stop(ran)


@pytest.mark.drill
@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_blind_drill_is_aborted(tmp_path: Path) -> None:
    """The load goes on falling due and nobody can say what becomes of it."""
    running = Running(tmp_path / "out", str(SMOKE), *short("safety.blind_after=2s"))
    run = running.at(4)
    os.kill(running.processes()["load-worker-1"][0], signal.SIGSTOP)
    ran = running.finish()
    assert ran.exit == 4, ran.out + ran.err
    # Two seconds more than an attempt may take, whatever the scenario says: 1.5 s here.
    assert "blind: no outcome of any attempt for 3.5 s" in ran.verdict["reason"]
    manifest = json.loads((run / "load" / "manifest.json").read_text())
    assert manifest["ended"], "the master has waited for its worker, and says that it is lost"
    assert "was not heard for 30 s" in manifest["shares"][0]["missing"]
    assert Journal(run / "journal.jsonl").pending() == []
