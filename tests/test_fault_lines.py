"""One line of faults, right or wrong: whatever is written, it is read or said to be wrong."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.errors import ScenarioError
from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.page import example, shown_default
from harness.faults.sample import LENDER, sample_spec
from harness.faults.toolkit import ToolkitExperiment
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE
from tests.test_fault_schedules import faults, problems, with_faults, written_down

PLANTED = "{process: freeze, target: ledger-9, at: fault+1s, for: 2s}"
KINDS = sorted(CATALOGUE)


def needed_keys() -> list[tuple[str, str, str]]:
    return [
        (family, kind, key)
        for (family, kind), known in sorted(CATALOGUE.items())
        for key in [
            *(p.key for p in known.parameters if p.required),
            *(["for"] if known.for_key == "needed" else []),
            "at",
        ]
    ]


def flow(line: Mapping[str, object]) -> str:
    return yaml.safe_dump(
        dict(line), default_flow_style=True, width=10_000, sort_keys=False
    ).strip()


def line_of(family: str, kind: str) -> dict[str, object]:
    """The docs' example as a mapping."""
    (line,) = yaml.safe_load(example(family, kind))
    return dict(line)


@pytest.mark.parametrize(("family", "kind", "key"), needed_keys())
def test_a_needed_key_left_out_is_named_beside_every_other_mistake(
    family: str, kind: str, key: str, tmp_path: Path
) -> None:
    line = line_of(family, kind)
    del line[key]
    said = problems(tmp_path, f"\n  - {flow(line)}\n  - {PLANTED}\n")
    assert f"faults.0.{key}: found nothing; allowed: a value: `{key}` is needed" in said
    assert "faults.1.target: found 'ledger-9'" in said
    if key != "at":
        del line["at"]
        mix = flow({"mix": {"pick": 1, "within": "fault", "of": [line]}})
        said = problems(tmp_path, f"\n  - {mix}\n  - {PLANTED}\n")
        assert f"faults.0.mix.of.0.{key}: found nothing" in said
        assert "faults.1.target: found 'ledger-9'" in said


ODD = st.one_of(
    st.sampled_from(
        ["", "4s", "0s", "1ms", "1000h", "-1s", "30 %", "1 %", "5 KB/s", "20 B", "50/s", "own",
         "never", "bank.own", "gateway->bank.own", "tier:own/3", "borrower:1", "risk", "risk-1",
         "gateway-1", "a", "draws", "reads", "on", "errors", "fault+1s", "fault", "nan", "\x00",
         "1000 yuan", "education", "memory", "pool"]
    ),
    st.integers(-3, 99999),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just({"every": "1s", "times": 2}),
    st.just({"every": "-1s", "times": "x"}),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_a_line_says_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    family, kind = data.draw(st.sampled_from(KINDS))
    line = line_of(family, kind)
    known = [p.key for p in CATALOGUE[family, kind].parameters]
    keys = st.sampled_from([*known, family, "at", "for", "repeat", "mix", "foo", "network"])
    for key in data.draw(st.lists(keys, max_size=3)):
        line[key] = data.draw(ODD)
    for key in data.draw(st.lists(st.sampled_from(sorted(line)), max_size=2)):
        line.pop(key, None)
    if data.draw(st.booleans()):
        line.pop("at", None)
        line = {"mix": {"pick": 1, "within": "fault", "of": [line]}}
    with contextlib.suppress(ScenarioError):
        loaded = with_faults(tmp_path_factory.mktemp("odd"), f"\n  - {flow(line)}\n")
        make_plan(loaded.scenario, loaded.where)


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_every_default_is_a_value_as_it_is_printed(family: str, kind: str) -> None:
    for p in CATALOGUE[family, kind].parameters:
        if not p.required and p.default not in (None, ""):
            assert p.parse(yaml.safe_load(shown_default(p))) == p.default, p.key


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_every_example_can_be_seen_before_it_is_healed(family: str, kind: str) -> None:
    """By arithmetic: the longest look that begins when the fault is there ends before the heal."""
    spec, known = sample_spec(family, kind, LENDER), CATALOGUE[family, kind]
    fault = build_fault(spec)
    if spec.for_s is None:
        return
    assert known.begins_s + fault.look_s_max < spec.for_s
    if isinstance(fault, ToolkitExperiment):
        # It is injected late: its hypothesis is asked before, and its method takes its time.
        assert 3 * fault.limit_s < spec.for_s


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{netwrk: latency, at: fault+1s}", "faults.0.netwrk: found an unknown family; "
         "allowed: network? one family: business,"),
        ("{Network: latency, at: fault+1s}", "allowed: network? one family"),
        ("{network:latency, at: fault+1s}",
         "found 'network:latency'; allowed: a space after the colon, `network: latency`"),
        ("{network: latency, service: late, at: fault+1s}",
         "found network and service in one fault; allowed: one family"),
        ("{kind: latency, at: fault+1s}", "found no family among kind, at; allowed: one family"),
        ("just words", "found 'just words'; allowed: one family"),
        ("{network: reset_pear, at: fault+1s}",
         "faults.0.network: found 'reset_pear'; allowed: reset_peer? one of bandwidth"),
        ("{network: Latency, at: fault+1s}", "found 'Latency'; allowed: latency? one of"),
        ("{network: down, edge: 'gateway->bank.partner', at: fault+1s, for: 4s}",
         "allowed: gateway->bank.partner-a? one of"),
        ("{network: down, edge: 'gateway -> bank.own', at: fault+1s, for: 4s}",
         "allowed: gateway->bank.own? one of"),
        ("{service: error, target: risk-1, share: 1 %, at: fault+1s, for: 4s}",
         "found '1 %'; allowed: a share from 2% on: less can't be seen from outside"),
        ("{service: error, target: risk-1, share: 40, at: fault+1s, for: 4s}",
         "found '40'; allowed: 40 %? a share from 0 to 1"),
        ("{network: timeout, edge: 'gateway->bank.own', toxicity: 30, at: fault+1s, for: 4s}",
         "found '30'; allowed: 30 %? a share"),
        ("{network: timeout, edge: 'gateway->bank.own', toxicity: 1 %, at: fault+1s, for: 4s}",
         "found '1 %'; allowed: a share from 5 % on"),
        ("{service: error, target: risk-1, operation: decid, at: fault+1s, for: 4s}",
         "allowed: decide? one of"),
        ("{deploy: rollout, target: risk, version: eror, at: fault+1s, for: 4s}",
         "allowed: errors? one of sound"),
        ("{process: kill, target: ledger-1, at: fault+1s, repeat: {every: 3s, times: 2}}",
         "faults.0.repeat: found what lasts for good, repeated; "
         "allowed: `for` with it: what is never healed can't be done again"),
        ("{process: kill, target: ledger-1, at: fault+1s, for: 2s, repeat: {every: 6s, times: 3}}",
         "found until 30 s, time 3 of 3; "
         "allowed: a fault that is over when its phase, fault, ends, at 29 s"),
        ("{business: rule_adopted, target: gambling, at: fault+1s, for: 3s}",
         "found 'gambling'; allowed: one of consumption, education"),
        ("{database: row_lock, target: 'tier:nope', at: fault+1s, for: 3s}",
         "found 'tier:nope'; allowed: tier:own? one of tier:own, tier:partner-a"),
        ("{network: latency, edge: 'gateway->bank.own', latency: 1ms, at: fault+1s, for: 3s}",
         "found latency less jitter of 1ms; allowed: 25ms at least"),
        ("{network: latency, edge: 'gateway->bank.own', latency: 1s, jitter: 2s, at: fault+1s,"
         " for: 3s}", "allowed: 25ms at least"),
        ("{service: late, target: bank.own, latency: 1ms, at: fault+1s, for: 3s}",
         "found '1ms'; allowed: a duration from 50ms to 600s"),
        ("{service: leak, target: bank.own, every: 10s, at: fault+1s, for: 3s}",
         "found every 10s; allowed: less than `for`, 3s"),
        ("{deploy: rollout, target: risk, at: fault+1s, for: 200ms}",
         "faults.0.for: found 200ms; allowed: longer than 3.7s"),
        ("{network: latency, edge: 'gateway->bank.own', latency: 3s, at: fault+1s, for: 500ms}",
         "faults.0.for: found 500ms; allowed: longer than 1.1s"),
        ("{mix: {pick: 1, within: fault, of: [{process: freeze, target: risk-1, for: 2s,"
         " repeat: {every: 10s, times: 3}}]}}", "process: freeze risk-1 of 22 s in 14 s"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_as_what_it_is(tmp_path: Path, line: str, says: str) -> None:
    assert says in problems(tmp_path, f"\n  - {line}\n")


def test_what_is_said_of_a_wrong_repeat_is_said_once(tmp_path: Path) -> None:
    line = "{process: kill, target: ledger-1, at: fault+1s, repeat: {every: 3s, times: 2}}"
    assert problems(tmp_path, f"\n  - {line}\n").count("allowed:") == 1


def test_of_a_killed_and_a_frozen_primary_the_killed_one_is_made_new(tmp_path: Path) -> None:
    for first, second in (("kill", "freeze"), ("freeze", "kill")):
        lines = [
            f"{{database: {how}_primary, at: fault+{at}s{', for: 4s' if how == 'freeze' else ''}}}"
            for how, at in ((first, 1), (second, 2))
        ]
        said = problems(tmp_path, "".join(f"\n  - {line}" for line in lines) + "\n")
        assert "'database: kill_primary' makes it new" in said


def test_a_path_given_on_the_command_line_is_said_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(SMOKE, ["safety.max_targets=1"], None)
    assert str(caught.value).startswith("--set safety.max_targets: found 2 things")


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        ("99999", "found '99999'; allowed: a planned draw: 0 to "),
        ("nosuchkey", "found 'nosuchkey'; allowed: a planned draw"),
        ("0", "allowed: one that may be under way meanwhile: due from "),
    ],
)
def test_a_draw_that_the_fault_can_not_meet_is_said_with_its_place(
    tmp_path: Path, draw: str, says: str
) -> None:
    text = "\n  - mix: {pick: 1, within: fault, of: [{process: freeze, target: risk-1, for: 2s}]}"
    line = f"{{service: error, target: risk-1, draw: {draw}, at: watch+9s, for: 3s}}"
    loaded = with_faults(tmp_path, f"{text}\n  - {line}\n")
    with pytest.raises(ScenarioError) as caught:
        make_plan(loaded.scenario, loaded.where)
    (problem,) = caught.value.problems
    assert problem.path == "faults.1.draw"
    assert line in Path(problem.file).read_text().splitlines()[problem.line - 1]
    assert says in str(problem)


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        ("{deploy: half, target: risk, at: fault+1s, for: 6s}", "canary: off"),
        ("{deploy: half, target: risk, version: sound, at: fault+1s, for: 6s}", ""),
        ("{deploy: rollout, target: risk, every: 20s, at: fault+1s, for: 6s}",
         "`for` leaves time for 1 of 2 replicas"),
        ("{deploy: rollout, target: risk, every: 2s, at: fault+1s, for: 6s}", ""),
    ],
)  # fmt: skip
def test_what_can_hardly_be_meant_of_a_rollout_is_warned_of(
    tmp_path: Path, line: str, warned: str
) -> None:
    found = with_faults(tmp_path, f"\n  - {line}\n").warnings
    assert bool(found) == bool(warned)
    assert warned in " ".join(found)
    without = with_faults(tmp_path, f"\n  - {line}\n", "lender.protections={canary: off}").warnings
    assert "canary" not in " ".join(without)


def test_a_dry_run_shows_an_experiment_whole_and_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = line_of("toolkit", "experiment")
    with_faults(tmp_path, f"\n  - {flow(line)}\n")
    scenario = tmp_path / "scenario.yaml"
    asked = ["run", str(scenario), "--dry-run", "--out", str(tmp_path / "runs")]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    for one in ('"path": "kill", "arguments": ["-STOP", "${pid}"]', "DRAWPROOF_TARGET_PID",
                '"arguments": ["-CONT", "${pid}"]', '"timeout": 1'):  # fmt: skip
        assert one in shown
    assert "needs --allow-exec, which is not given" in shown
    assert main([*asked, "--allow-exec"]) == 0
    assert "needs --allow-exec" not in capsys.readouterr().out


def test_a_repeated_fault_in_a_mix_is_drawn_whole_and_written_down(tmp_path: Path) -> None:
    loaded = with_faults(tmp_path, """
  - mix:
      pick: 2
      within: fault
      of:
        - {process: freeze, target: risk-1, for: 1s, repeat: {every: 3s, times: 3}}
        - {process: freeze, target: risk-2, for: 1s}
""")  # fmt: skip
    found = loaded.scenario.faults
    frozen = [one for one in found if one.name.startswith("process: freeze risk-1")]
    assert [round(one.at_s - frozen[0].at_s, 6) for one in frozen] == [0, 3, 6]
    assert {one.path for one in frozen} == {"faults.0"}
    assert frozen[-1].at_s + 1 <= loaded.scenario.phases.end_s("fault")
    assert written_down(tmp_path, loaded) == loaded.scenario


def test_rules_for_two_purposes_may_be_there_at_once(tmp_path: Path) -> None:
    line = "\n  - {{business: rule_adopted, target: {0}, at: fault+1s, for: 3s}}"
    assert len(faults(tmp_path, line.format("education") + line.format("medical") + "\n")) == 2
    assert "one of a kind" in problems(tmp_path, line.format("education") * 2 + "\n")
