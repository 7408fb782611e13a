"""When faults happen: repeated, drawn from a mix, several at once; and what can't be."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.faults.sample import LAW, RULES
from harness.plan import make_plan
from harness.report.plan_picture import pen_for, picture
from harness.scenario.fault_checks import contradiction, end_s
from harness.scenario.loader import Loaded, load_scenario
from harness.scenario.model import FaultSpec, Scenario
from tests.drills import SMOKE

MIX = """
  - mix:
      pick: 2
      within: fault
      of:
        - {network: latency, edge: "gateway->bank.own", latency: 1s, for: 3s}
        - {process: freeze, target: gateway-1, for: 2s}
        - {process: kill, target: ledger-1, for: 2s}
        - {database: kill_primary}
"""


def with_faults(folder: Path, text: str, *overrides: str) -> Loaded:
    """The smoke scenario with other faults, under the rules of the sample's lender."""
    smoke = SMOKE.read_text()
    start, end = smoke.index("faults:"), smoke.index("expect:")
    path = folder / "scenario.yaml"
    path.write_text(f"{smoke[:start]}faults:{text.rstrip()}\n{smoke[end:]}")
    (folder / "law.yaml").write_text(RULES)
    rules = f"lender.rules={{file: law.yaml, today: {LAW.today}}}"
    return load_scenario(path, (rules, *overrides), None)


def written_down(folder: Path, loaded: Loaded) -> Scenario:
    """The scenario as its own text says it, in a folder that has its files."""
    for name, data in loaded.files.items():
        (folder / name).write_bytes(data)
    again = folder / "again.yaml"
    again.write_text(loaded.text)
    return load_scenario(again, [], None).scenario


def faults(folder: Path, text: str, *overrides: str) -> tuple[FaultSpec, ...]:
    return with_faults(folder, text, *overrides).scenario.faults


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        with_faults(folder, text)
    return str(caught.value)


def test_a_repeated_fault_is_that_many_with_names_of_their_own(tmp_path: Path) -> None:
    found = faults(tmp_path, """
  - {process: kill, target: ledger-1, at: fault+1s, for: 1s, repeat: {every: 3s, times: 4}}
""")  # fmt: skip
    start_s = found[0].at_s
    assert [fault.at_s - start_s for fault in found] == [0, 3, 6, 9]
    assert [fault.name for fault in found] == [
        "process: kill ledger-1", *(f"process: kill ledger-1 #{n}" for n in (2, 3, 4)),
    ]  # fmt: skip
    assert {fault.for_s for fault in found} == {1.0}


def test_a_mix_is_drawn_by_the_seed_and_written_down_as_drawn(tmp_path: Path) -> None:
    loaded = with_faults(tmp_path, MIX)
    assert loaded.scenario.faults == faults(tmp_path, MIX)
    assert len(loaded.scenario.faults) == 2
    assert "mix" not in loaded.text
    assert written_down(tmp_path, loaded) == loaded.scenario
    plan = make_plan(loaded.scenario)
    shown = picture(plan, pen_for("ascii"))
    for fault in loaded.scenario.faults:
        assert f"{fault.name}, at {fault.at_s:g} s" in shown
    others = {faults(tmp_path, MIX, f"seed={seed}") for seed in range(12)}
    assert len(others) == 12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**53))
def test_whatever_a_mix_draws_lies_in_its_phase_and_contradicts_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    text = MIX + "  - {process: freeze, target: ledger-2, at: fault+2s, for: 4s}\n"
    scenario = with_faults(tmp_path_factory.mktemp("mix"), text, f"seed={seed}").scenario
    plan, found = scenario.phases, scenario.faults
    assert len({(fault.family, fault.kind) for fault in found[:2]}) == 2
    for fault in found:
        assert plan.start_s("fault") <= fault.at_s
        assert fault.at_s + (fault.for_s or 0) <= plan.end_s("fault") + 1e-6
        others = [other for other in found if other is not fault]
        assert not any(contradiction(fault, other) for other in others)


def test_a_second_mix_does_not_shift_the_first(tmp_path: Path) -> None:
    alone = faults(tmp_path, MIX)
    more = faults(tmp_path, MIX + """
  - mix:
      pick: 1
      within: watch
      of: [{process: freeze, target: risk-1, for: 1s}, {process: freeze, target: risk-2, for: 1s}]
""")  # fmt: skip
    assert more[:2] == alone
    assert len(more) == 3


def test_several_at_once_are_allowed_where_none_undoes_another(tmp_path: Path) -> None:
    found = faults(tmp_path, """
  - {process: kill, target: ledger-1, at: fault+1s, for: 5s}
  - {process: freeze, target: ledger-2, at: fault+1s, for: 5s}
  - {network: latency, edge: "gateway->bank.own", latency: 1s, at: fault+1s, for: 5s}
  - {service: late, target: bank.own, latency: 1s, at: fault+1s, for: 5s}
  - {service: late, target: bank.own, operation: close, latency: 1s, at: fault+1s, for: 5s}
  - {database: kill_primary, at: fault+1s}
  - {database: freeze_standby, at: fault+1s, for: 2s}
""")  # fmt: skip
    assert len(found) == 7
    assert end_s(found[0]) == found[0].at_s + 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{process: melt, target: ledger-1, at: fault+1s}", "one of clock_skew, cpu_burn, freeze"),
        ("{quantum: kill, target: ledger-1, at: fault+1s}", "one family: "),
        ("{network: latency, edge: 'gateway->moon', latency: 1s, at: fault+1s, for: 1s}",
         "one of gateway->bank.own"),
        ("{service: late, target: bank.own, latency: 1s, share: 0 %, at: fault+1s, for: 1s}",
         "faults.0.share: found '0 %'"),
        ("{process: freeze, target: ledger-1, at: fault+14s, for: 1s}",
         "a moment inside its phase: fault lasts 14 s"),
        ("{process: freeze, target: ledger-1, at: fault+10s, for: 5s}",
         "a fault that is over when its phase, fault, ends, at 29 s"),
        ("{process: freeze, target: risk-1, at: fault+1s, for: 2s, repeat: {every: 2s, times: 3}}",
         "longer than `for`, 2 s"),
        ("{process: freeze, target: risk-1, at: fault+1s, for: 2s, repeat: {every: 6s, times: 3}}",
         "until 30 s"),
        ("{process: kill, target: ledger-1, at: fault+1s, repeat: {every: 6s, times: 2}}",
         "`for` with it: what is never healed can't be done again"),
        ("{process: kill, target: ledger-1, at: fault+1s, repeat: {every: 6s, times: 1}}",
         "a whole number from 2 to 100"),
        ("{mix: {pick: 3, within: fault, of: [{database: kill_primary}]}}", "from 1 to 1"),
        ("{mix: {pick: 1, within: dusk, of: [{database: kill_primary}]}}", "one of warmup"),
        ("{mix: {pick: 1, within: fault, of: [{database: kill_primary, at: fault+1s}]}}",
         "faults.0.mix.of.0.at: found an unknown key"),
        ("{mix: {pick: 1, within: fault, of: [{process: freeze, target: risk-1, for: 20s}]}}",
         "process: freeze risk-1 of 20 s in 14 s"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_said(tmp_path: Path, text: str, says: str) -> None:
    assert says in problems(tmp_path, f"\n  - {text}\n")


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("{process: freeze, target: ledger-1, at: fault+6s, for: 1s}", "ended for good at 17 s"),
        ("{process: kill, target: ledger-1, at: fault+6s, for: 1s}", "ended for good at 17 s"),
        ("{service: late, target: ledger-1, operation: post, latency: 1s, at: fault+3s, for: 2s}",
         "ended for good at 17 s"),
        ("{service: late, target: ledger-1, operation: post, latency: 1s, at: fault+0s, for: 3s}",
         "one after the other"),
    ],
)  # fmt: skip
def test_nothing_is_done_to_what_was_killed_for_good(
    tmp_path: Path, second: str, says: str
) -> None:
    assert says in problems(
        tmp_path, f"\n  - {second}\n  - {{process: kill, target: ledger-1, at: fault+2s}}\n"
    )


def test_two_faults_that_undo_each_other_are_refused(tmp_path: Path) -> None:
    said = problems(tmp_path, """
  - {process: freeze, target: ledger-1, at: fault+1s, for: 5s}
  - {process: kill, target: ledger-1, at: fault+2s, for: 2s}
  - {database: kill_primary, at: fault+1s}
  - {database: freeze_primary, at: fault+2s, for: 2s}
""")  # fmt: skip
    assert "faults.1: " in said
    assert "faults.3: " in said
    assert said.count("one after the other") == 2


def test_a_mix_without_room_is_said(tmp_path: Path) -> None:
    said = problems(tmp_path, """
  - {process: freeze, target: risk-1, at: fault+0s, for: 13s}
  - mix: {pick: 1, within: fault, of: [{process: freeze, target: risk-1, for: 3s}]}
""")  # fmt: skip
    assert "no room for 1 of these" in said


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    said = problems(tmp_path, """
  - {process: melt, target: ledger-1, at: fault+1s}
  - {process: freeze, target: ledger-9, at: fault+1s, for: 1s}
  - {process: freeze, target: ledger-1, at: fault+90s, for: 1s}
  - mix: {pick: 1, within: fault, of: [{process: freeze, target: nobody, for: 3s}]}
""")  # fmt: skip
    for number in range(4):
        assert f"faults.{number}." in said


def test_a_standby_that_is_frozen_or_killed_can_not_lag_at_the_same_time(tmp_path: Path) -> None:
    """Its pulses would wake the receiver of a frozen one."""
    for other in ("freeze_standby, for: 4s", "kill_standby"):
        said = problems(tmp_path, f"""
  - {{database: standby_lag, at: fault+1s, for: 4s}}
  - {{database: {other}, at: fault+2s}}
""")  # fmt: skip
        assert "at the same time as 'database: standby_lag'" in said


def test_a_scenario_of_thousands_of_faults_is_refused_at_once(tmp_path: Path) -> None:
    """Fourteen thousand, each beside each other one, would take minutes to refuse."""
    line = (
        "\n  - {process: freeze, target: gateway-9, at: fault+1s, for: 1ms,"
        " repeat: {every: 2ms, times: 100}}"
    )
    began_s = time.monotonic()
    said = problems(tmp_path, line * 140)
    assert time.monotonic() - began_s < 10
    assert "14000 faults, repeated ones counted each time; allowed: at most 1000" in said
    assert said.count("'gateway-9'; allowed: gateway-") == 140
