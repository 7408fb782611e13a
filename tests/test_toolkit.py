"""Chaos Toolkit experiments as faults: real actions and probes on a real process."""

import copy
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetError
from harness.faults.toolkit import EXAMPLE, ToolkitExperiment, parse_experiment, parse_limit_s
from harness.guardian.child import ask_child
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import perform
from harness.judge.fault_lines import read_fault_lines
from harness.nemesis.nemesis import Nemesis
from harness.processes import descendants, start_ticks
from tests.drills import ROOT, command
from tests.world import World

with_chaoslib = pytest.mark.skipif(
    find_spec("chaoslib") is None, reason="chaostoolkit-lib is not installed"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


def example(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(dict(EXAMPLE)), **changes}


def fault(data: dict[str, Any] | None = None, limit_s: float = 10.0) -> ToolkitExperiment:
    return ToolkitExperiment(parse_experiment(data or example()), "bank.own", limit_s, "toolkit: x")


def process(name: str, path: str, *arguments: str) -> dict[str, Any]:
    provider = {"type": "process", "path": path, "arguments": list(arguments)}
    return {"type": "action", "name": name, "provider": provider}


@pytest.mark.slow
@with_chaoslib
def test_an_experiment_is_seen_and_rolled_back(world: World, tmp_path: Path) -> None:
    path, journal = tmp_path / "faults.jsonl", Journal(tmp_path / "journal.jsonl")
    nemesis = Nemesis([(fault(limit_s=4.0), 0.0, 8.0)], world, journal, path)
    nemesis.start(time.monotonic_ns())
    wait, give_up_s = threading.Event(), time.monotonic() + 30
    while '"observed_healed"' not in path.read_text():
        assert nemesis.failure() is None
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.05)
    nemesis.stop()
    (line,) = read_fault_lines(path)
    assert line.observed_ns is not None
    assert journal.pending() == []


@pytest.mark.slow
@with_chaoslib
def test_heal_rolls_back_from_the_journal_alone(world: World, tmp_path: Path) -> None:
    """As after the death of controller and guardian: what was hit is not ours to end."""
    made = fault()
    (tmp_path / "run.json").write_text("{}")
    Journal(tmp_path / "journal.jsonl").plan(made.name, made.undo(world))
    made.inject(world)
    assert made.observe(world).bites is True
    ran = command("heal", str(tmp_path))
    assert ran.exit == 0, ran.err
    assert "toolkit: x: undone" in ran.out
    assert made.observe(world).bites is False


@with_chaoslib
def test_what_is_not_as_it_should_be_before_is_not_hit(world: World) -> None:
    probe = {"type": "probe", "name": "wrong", "tolerance": 404,
             "provider": {"type": "http", "url": "${url}/healthz"}}  # fmt: skip
    made = fault(example(**{"steady-state-hypothesis": {"title": "no", "probes": [probe]}}))
    with pytest.raises(TargetError, match="not met before it: wrong is not within tolerance"):
        made.undo(world)


@pytest.mark.slow
@with_chaoslib
def test_an_action_that_fails_or_hangs_ends_in_time_and_says_so(world: World) -> None:
    for method, says in (
        ([process("no", "false")], "no: exit status 1"),
        ([process("gone", "kill", "-STOP", "1073741824")], "gone: exit status"),
        ([{"type": "action", "name": "nowhere", "provider": {
            "type": "python", "module": "no.such.module", "func": "f"}}], "no.such.module"),
        ([{"type": "action", "name": "refused", "provider": {
            "type": "http", "url": "http://127.0.0.1:1/"}}], "refused: "),
    ):  # fmt: skip
        with pytest.raises(TargetError, match=says):
            fault(example(method=method)).inject(world)
    before = set(descendants(world.server.pid)), time.monotonic()
    with pytest.raises(TargetError, match="took longer than 2 s and was killed"):
        fault(example(method=[process("hangs", "sleep", "61.7")]), 2.0).inject(world)
    assert set(descendants(world.server.pid)) == before[0]
    assert not any(
        b"61.7" in path.read_bytes()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and path.parent.exists()
    )


@pytest.mark.slow
@with_chaoslib
def test_what_a_method_has_left_to_do_is_not_done_after_its_asker_is_dead(tmp_path: Path) -> None:
    """The guardian's roll-backs are under way by then, and nobody would undo it."""
    begun, done = tmp_path / "begun", tmp_path / "done"
    late = process("late", "touch", str(done)) | {"pauses": {"before": 3}}
    question = {"do": "method", "experiment": example(method=[
        process("begins", "touch", str(begun)), late,
    ])}  # fmt: skip
    code = (
        "import json, sys; from harness.guardian.child import ask_toolkit\n"
        "asked = json.load(sys.stdin)\n"
        "ask_toolkit(asked['do'], asked['experiment'], {}, 30)"
    )
    told = {"DRAWPROOF_TARGET_URL": "http://127.0.0.1:9", "DRAWPROOF_TARGET_PID": "1"}
    give_up_s, wait = time.monotonic() + 30, threading.Event()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, cwd=ROOT, env={**os.environ, **told}
    ) as asker:
        try:
            assert asker.stdin is not None
            asker.stdin.write(json.dumps(question).encode())
            asker.stdin.close()
            while not begun.exists():
                assert time.monotonic() < give_up_s
                wait.wait(0.02)
            children = descendants(asker.pid)
            assert children
        finally:
            asker.kill()
    while any(start_ticks(pid) is not None for pid in children):
        assert time.monotonic() < give_up_s
        wait.wait(0.02)
    assert not done.exists()


@with_chaoslib
def test_a_secret_is_used_and_never_said(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_TOKEN", "hunter2-hunter2")
    code = "import sys; sys.exit('denied to ' + sys.argv[1])"
    made = fault(
        example(
            secrets={"lender": {"token": {"type": "env", "key": "OUR_TOKEN"}}},
            method=[process("uses it", sys.executable, "-c", code, "${token}")],
        )
    )
    with pytest.raises(TargetError, match=r"denied to \*\*\*"):
        made.inject(world)
    Journal(tmp_path / "journal.jsonl").plan(made.name, made.undo(world))
    assert "hunter2" not in (tmp_path / "journal.jsonl").read_text()
    monkeypatch.delenv("OUR_TOKEN")
    with pytest.raises(TargetError, match="OUR_TOKEN"):
        made.inject(world)


@with_chaoslib
def test_a_python_action_and_an_http_action_work_too(world: World) -> None:
    exists = {"type": "python", "module": "os.path", "func": "exists", "arguments": {"path": "/"}}
    python = {"type": "probe", "name": "python", "provider": exists}
    http = {"type": "action", "name": "http",
            "provider": {"type": "http", "url": "${url}/healthz"}}  # fmt: skip
    fault(example(method=[python, http])).inject(world)


def test_an_undo_without_the_library_is_not_taken_for_done(tmp_path: Path) -> None:
    undo = {"kind": "toolkit", "experiment": {"rollbacks": [{"name": "x"}]}, "env": {},
            "limit_s": 10}  # fmt: skip
    assert perform(undo, tmp_path) is not None


def test_a_child_that_says_nothing_has_not_done_it() -> None:
    well, detail = ask_child("harness.errors", {}, {}, 10)
    assert not well
    assert "ended without an answer" in detail


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"method": []}, "method, at least one"),
        ({"rollbacks": []}, "healed by roll-backs"),
        ({"steady-state-hypothesis": {"title": "x"}}, "hypothesis.probes, at least one"),
        ({"controls": []}, "no controls"),
        ({"method": [process("", "true")]}, "a name, and type"),
        ({"method": [{**process("x", "true"), "background": True}]}, "no background"),
        ({"method": [{**process("x", "true"), "provider": {"type": "magic"}}]}, "a provider of"),
        ({"method": [{**process("x", "true"), "provider": {
            "type": "process", "path": "sh", "arguments": "-c ls"}}]}, "they go to a shell"),
        ({"secrets": {"lender": {"token": "hunter2"}}}, "secrets by reference"),
        ({"secrets": "hunter2"}, "secrets by reference"),
        ({"steady-state-hypothesis": {"title": "x", "probes": [
            {"type": "probe", "name": "p", "provider": {"type": "http", "url": "x"}}]}},
         "a tolerance for each"),
    ],
)  # fmt: skip
def test_an_experiment_that_can_not_be_a_fault_is_refused(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        parse_experiment(example(**changes))
    with pytest.raises(ValueError, match="a mapping"):
        parse_experiment("drain.json")


def test_what_is_read_is_what_was_written() -> None:
    assert json.loads(parse_experiment(example())) == EXAMPLE
    assert parse_limit_s("300ms") == pytest.approx(0.3)
    with pytest.raises(ValueError, match="100ms to 1min"):
        parse_limit_s("2min")
