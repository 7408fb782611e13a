"""Locust's own processes against a scripted gateway: what is sent when, and what it is called."""

import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.evidence import tables
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import Attempt, Intent, RepayIntent, Second
from harness.evidence.store import RunDir
from harness.guardian.client import Guardian
from harness.load.attack import Attack, Progress
from harness.plan import make_plan
from harness.scenario.loader import load_scenario
from tests.drills import ROOT, SMOKE

# A drill, which CI runs beside, has all of this in it.
pytestmark = pytest.mark.slow

OVERRIDES = (
    "phases={warmup: 1s, baseline: 1s, fault: 1s, watch: 1s}",
    "faults=[]",
    "load.shape={kind: steady, rate: 60/s}",
    "load.patience={deadline: 2s, attempt_timeout: 400ms, retries: 1, pause: 50ms..100ms,"
    " poll: 200ms}",
    "load.workers=2",
    "load.journey.repay=60 %",
    "load.journey.quota=2.5",
    "load.journey.repay_after=100ms..800ms",
)


class Loaded:
    """One attack, run to its end; what was planned, and what the workers wrote."""

    def __init__(self, folder: Path) -> None:
        scenario = load_scenario(SMOKE, OVERRIDES, None).scenario
        plan = make_plan(scenario)
        self.intents = {intent.intent: intent for intent in plan.intents}
        self.owed = {owed.intent: owed for owed in plan.repayments}
        run = RunDir.create(folder, "load", 1)
        writer = StreamWriter(run.stream_path("intents"), "intents")
        for intent in plan.intents:
            writer.append(tuple(intent))
        writer.close()
        with Guardian.start(run.path) as guardian:
            log = run.path / "gateway"
            argv = [sys.executable, str(ROOT / "tests" / "fake_gateway.py")]
            guardian.spawn("gateway", argv, stdout=log)
            attack = Attack(guardian, run.path, scenario, "token", late_s=2.5)
            attack.start()
            self._until(attack.poll_ready)
            self._until(lambda: log.read_text().endswith("\n"))
            self.t0_ns = time.monotonic_ns() + NS_PER_S // 2
            attack.fire(self.t0_ns, {"gateway-1": f"http://127.0.0.1:{int(log.read_text())}"})
            self._until(lambda: attack.progress().finished)
            self.last: Progress = attack.progress()
        found, missing, self.cut = tables.read_rows(run.path, "attempts")
        assert not missing
        self.attempts: list[Attempt] = list(found)
        seconds, _, _ = tables.read_rows(run.path, "generator")
        self.seconds: list[Second] = list(seconds)

    def _until(self, what: object, within_s: float = 30) -> None:
        assert callable(what)
        give_up_s = time.monotonic() + within_s
        wait = threading.Event()
        while not what():
            assert time.monotonic() < give_up_s
            wait.wait(0.02)

    def presses(self) -> dict[int, list[Attempt]]:
        found: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            if attempt.kind == "press":
                found[attempt.intent].append(attempt)
        return found

    def repays(self) -> dict[int, list[Attempt]]:
        found: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            if attempt.kind == "repay":
                found[attempt.intent].append(attempt)
        return found

    def kind(self, intent: Intent | RepayIntent) -> int:
        return intent.amount_fen // 100 % 10


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(tmp_path_factory.mktemp("load"))


def test_every_intent_is_pressed_by_exactly_one_worker(loaded: Loaded) -> None:
    assert set(loaded.presses()) == set(loaded.intents)
    for number, presses in loaded.presses().items():
        assert {a.worker for a in presses} == {f"worker-{number % 2 + 1}"}
    assert not loaded.cut
    assert loaded.last.failure is None
    assert loaded.last.done == loaded.last.due == len(loaded.intents)


def test_the_first_press_is_sent_when_due_whatever_became_of_others(loaded: Loaded) -> None:
    late_ms = []
    for number, presses in loaded.presses().items():
        first = min(presses, key=lambda a: a.n)
        assert first.scheduled_ns == loaded.t0_ns + loaded.intents[number].due_ns
        assert first.sent_ns is not None
        late_ms.append((first.sent_ns - first.scheduled_ns) / 1e6)
    assert min(late_ms) >= 0
    assert sorted(late_ms)[len(late_ms) // 2] < 50


def test_what_came_back_is_called_what_it_is(loaded: Loaded) -> None:
    ends: dict[int, Counter[str]] = defaultdict(Counter)
    for number, presses in loaded.presses().items():
        for attempt in presses:
            ends[loaded.kind(loaded.intents[number])][attempt.outcome] += 1
    for kind, outcomes in ends.items():
        expected = "granted" if kind <= 5 else "refused" if kind == 6 else "unknown"
        assert set(outcomes) == {expected}, (kind, outcomes)
    assert len(ends) == 10


def test_nothing_is_sent_twice_behind_our_back(loaded: Loaded) -> None:
    for presses in loaded.presses().values():
        assert len(presses) <= 2
        assert len({attempt.n for attempt in presses}) == len(presses)


def test_an_unknown_is_asked_for_with_the_same_key_until_given_up(loaded: Loaded) -> None:
    polls = Counter(a.intent for a in loaded.attempts if a.kind == "poll")
    silent = [n for n, i in loaded.intents.items() if loaded.kind(i) == 9]
    assert silent
    assert all(polls[number] >= 3 for number in silent)


def test_a_timeout_is_kept(loaded: Loaded) -> None:
    for presses in loaded.presses().values():
        for attempt in presses:
            assert attempt.done_ns is not None
            assert attempt.sent_ns is not None
            assert attempt.done_ns - attempt.sent_ns < 0.9 * NS_PER_S


def test_health_has_a_row_for_each_second_and_worker(loaded: Loaded) -> None:
    for worker in ("worker-1", "worker-2"):
        seconds = [row.second for row in loaded.seconds if row.worker == worker]
        assert set(range(4)) <= set(seconds)
    assert sum(row.sent for row in loaded.seconds) == len(loaded.attempts)
    assert sum(row.dropped for row in loaded.seconds) == 0


def test_two_or_three_looks_are_made_before_a_draw_is_due(loaded: Loaded) -> None:
    looks = defaultdict(list)
    for one in loaded.attempts:
        if one.kind == "look":
            looks[one.intent].append(one)
    assert looks.keys() == loaded.intents.keys()
    assert {len(mine) for mine in looks.values()} == {2, 3}
    assert 2.3 < sum(map(len, looks.values())) / len(looks) < 2.7
    for intent, mine in looks.items():
        assert sorted(one.n for one in mine) == list(range(1, len(mine) + 1))
        assert {one.outcome for one in mine} == {"granted"}
        due_ns = loaded.t0_ns + loaded.intents[intent].due_ns
        assert all((one.sent_ns or 0) < due_ns + NS_PER_S // 5 for one in mine)


def test_what_was_granted_in_time_is_repaid_as_planned_and_nothing_else(loaded: Loaded) -> None:
    granted_ns = {
        a.intent: a.done_ns
        for a in loaded.attempts
        if a.kind in ("press", "poll") and a.outcome == "granted"
    }
    assert set(loaded.repays()) == set(loaded.owed) & set(granted_ns)
    assert len(loaded.repays()) > 30
    for number, attempts in loaded.repays().items():
        first = min(attempts, key=lambda a: a.n)
        known_ns, due_ns = granted_ns[number], loaded.t0_ns + loaded.owed[number].due_ns
        assert known_ns is not None
        assert first.sent_ns is not None
        assert first.scheduled_ns == max(due_ns, known_ns)
        assert first.sent_ns >= first.scheduled_ns
        assert {a.worker for a in attempts} == {f"worker-{number % 2 + 1}"}


def test_a_repayment_is_asked_again_until_it_is_known(loaded: Loaded) -> None:
    seen: Counter[str] = Counter()
    for number, attempts in loaded.repays().items():
        kind = loaded.kind(loaded.owed[number])
        expected = "repaid" if kind <= 5 else "refused" if kind == 6 else "unknown"
        assert {a.outcome for a in attempts} == {expected}
        assert (len(attempts) == 1) is (expected != "unknown")
        assert sorted(a.n for a in attempts) == list(range(1, len(attempts) + 1))
        seen[expected] += 1
    assert len(seen) == 3


def test_a_draw_is_counted_as_granted_before_it_is_repaid(loaded: Loaded) -> None:
    granted = {a.intent for a in loaded.attempts if a.kind == "press" and a.outcome == "granted"}
    assert loaded.last.granted == len(granted)
