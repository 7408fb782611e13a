"""What may not be compared: runs in doubt, of other patience, or stopped; and bounds of figures."""

import json
from dataclasses import replace

from harness.compare.comparison import compare
from harness.compare.measures import USUAL
from harness.compare.worth import worth
from harness.judge.judge import judge
from harness.repeats.digest import from_json, values
from tests.fake_runs import figures
from tests.run_views import SCENARIO, clean
from tests.test_comparison import runs


def test_a_run_in_doubt_is_not_compared_though_its_money_is_wrong_besides() -> None:
    """Of evidence that is cut nobody knows how good it was."""
    doubted = replace(figures(0, "breached"), doubts=("evidence was cut short: attempts",))
    assert doubted.verdict == "breached"
    base = [replace(one, doubts=doubted.doubts) for one in runs([0.5] * 8, "breached")]
    found = compare(base, runs([0.9] * 8), USUAL)
    assert (found.word, len(found.used)) == ("cannot tell", 0)
    assert found.dropped[0] == "seed 0, base: breached: evidence was cut short: attempts"


def test_a_candidate_that_had_to_be_stopped_is_not_the_same() -> None:
    base, candidate = runs([0.99] * 9), runs([0.99] * 9)
    assert compare(base, candidate, USUAL).word == "same"
    candidate[4] = replace(
        candidate[4], verdict="inconclusive", exit_code=4, doubts=("aborted: estimate < 20 %",)
    )
    found = compare(base, candidate, USUAL)
    assert (found.word, found.pairs, len(found.used)) == ("cannot tell", 9, 8)
    assert found.reason.startswith("1 run of the candidate, and 0 of the base, had to be stopped")
    # It is no worse than a base that had to be, and worse stays worse.
    assert compare([candidate[4], *base[1:]], [*candidate], USUAL).word != "worse"
    slow = [replace(one, values={"drill.guarantee": 0.5}) for one in candidate]
    assert compare(base, slow, USUAL).word == "worse"


def test_runs_of_other_patience_are_no_pair() -> None:
    base = [replace(one, patience="five seconds") for one in runs([0.99] * 8)]
    found = compare(base, [replace(one, patience="a minute") for one in base], USUAL)
    assert (found.word, len(found.used)) == ("cannot tell", 0)
    assert "not equally patient" in found.dropped[0]
    # Of a run from before it was written down nobody knows.
    assert compare(base, runs([0.99] * 8), USUAL).word == "same"


def test_a_run_from_before_doubts_were_written_down_is_read() -> None:
    raw = {
        key: value
        for key, value in figures(1, "inconclusive").as_json().items()
        if key not in ("doubts", "patience")
    }
    assert from_json(raw).doubts == ("because",)
    assert not from_json(raw).measured
    assert from_json({**raw, "verdict": "held"}).counts


def test_a_grant_known_late_is_no_better_than_none() -> None:
    """Else the arm whose p95 is known a second late is worse than the one that never grants it."""
    value = judge(clean()).value
    never, late = (json.loads(json.dumps(value)) for _ in range(2))
    never["latency_ms"]["fault"] |= {"p95": None, "beyond_deadline": ["p95"]}
    late["latency_ms"]["fault"] |= {"p95": 6100.0, "beyond_deadline": []}
    phases = SCENARIO.phases
    for one in (never, late):
        found, at_least = values(one, 5000.0, phases)
        assert found["fault.p95"] == 5000.0
        assert at_least == ["fault.p95"]


def test_a_recovery_not_reached_with_the_thing_is_worth_so_much_or_less() -> None:
    stuck = [
        replace(figures(n, drill__recover_s=8.0, drill__broken=1.0), at_least=("drill.recover_s",))
        for n in range(6)
    ]
    well = [figures(n, drill__recover_s=1.0, drill__broken=1.0) for n in range(6)]
    arms = {"with": dict(enumerate(stuck)), "without": dict(enumerate(well))}
    saved = worth("x", "with", "without", arms).saved["drill.recover_s"]
    assert (saved.estimate, saved.at_least, saved.at_most) == (-7.0, 0, 6)
    other = worth("x", "without", "with", arms).saved["drill.recover_s"]
    assert (other.estimate, other.at_least, other.at_most) == (7.0, 6, 0)
