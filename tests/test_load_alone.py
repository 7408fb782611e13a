"""A load without a drill: what it says of itself, and that it says nothing of books it has not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.evidence.fingerprint import manifest as fingerprints
from harness.evidence.manifest import Manifest, ShareEvidence
from harness.evidence.recorder import write_rows
from harness.evidence.rows import Attempt, Intent
from harness.evidence.store import RunDir
from harness.judge.load_alone import outcomes, seen, useless
from harness.judge.view import RunView
from harness.load.foreseen import foresee
from harness.load.plain import Planned, begin, end, how_ended, plan_load, record
from harness.report.load_alone import is_load_alone, write_load_alone
from tests.drills import SMOKE, command
from tests.run_views import LIMIT_FEN, changed, clean

Answer = Callable[[Attempt], Attempt]


def answered(view: RunView, answer: Answer) -> RunView:
    return changed(view, attempts=tuple(answer(one) for one in view.attempts))


def test_what_the_plan_intended_is_told_from_what_it_did_not() -> None:
    saw = seen(clean())
    assert outcomes(saw) == "389 granted, 21 refused (all as planned)"
    assert useless(saw) == []
    assert saw.latency_ms["load"].quantiles["p95"] == 100.0
    assert sum(saw.latency_ms[phase].count for phase in ("baseline", "fault", "watch")) <= 389

    def shed(one: Attempt) -> Attempt:
        return one._replace(outcome="refused", reason="no-money") if one.intent < 7 else one

    saw = seen(answered(clean(), shed))
    assert outcomes(saw) == "382 granted, 28 refused (21 as planned; 7 not: no-money 7)"
    assert useless(saw) == []  # a lender may refuse; that it did is said


def test_a_lender_that_grants_everything_is_seen() -> None:
    saw = seen(answered(clean(), lambda one: one._replace(outcome="granted", reason=None)))
    assert outcomes(saw) == "410 granted (21 of them were planned to be refused)"


def test_a_load_that_nobody_knew_or_answered_says_nothing_about_the_lender() -> None:
    def barred(one: Attempt) -> Attempt:
        return one._replace(outcome="refused", reason="barred") if one.intent >= 100 else one

    def dead(one: Attempt) -> Attempt:
        return one._replace(outcome="failed", status=0, done_ns=None, reason="connect-OSError")

    def half(one: Attempt) -> Attempt:
        one = one._replace(replica=f"gateway-{1 + one.intent % 2}")
        return one if one.intent % 2 else dead(one)

    saw = seen(answered(clean(), barred))
    assert "310 of the plan's borrowers are unknown to the lender" in useless(saw)[0]
    saw = seen(answered(clean(), dead))
    assert useless(saw) == ["no gateway has answered anything"]
    assert outcomes(saw) == "410 failed (connect-OSError 410)"
    assert useless(seen(answered(clean(), half))) == ["never answered: gateway-1"]


def test_the_last_word_is_the_end_unless_it_was_not_heard() -> None:
    view = clean(3)
    first = view.attempts[0]._replace(outcome="unknown", status=0, reason="timeout")
    polls = [
        first._replace(kind="poll", n=1, outcome="failed", reason="connect-OSError"),
        first._replace(kind="poll", n=2, outcome="granted", reason=None),
    ]
    rest = view.attempts[1:]
    assert seen(changed(view, attempts=(first, polls[0], *rest))).ends["unknown"] == 1
    assert seen(changed(view, attempts=(first, *polls, *rest))).ends == {"granted": 3}
    assert seen(changed(view, attempts=rest)).ends == {"granted": 2, "never sent": 1}


def test_of_a_crowd_as_many_are_meant_to_be_refused_as_there_is_no_room_for() -> None:
    view = clean(4)
    leader = view.intents[0]._replace(amount_fen=int(LIMIT_FEN * 0.4))
    crowd = tuple(leader._replace(intent=number) for number in range(4))

    def outcome_of(*refused: int) -> str:
        def answer(one: Attempt) -> Attempt:
            no = one.intent in refused
            return one._replace(outcome="refused", reason="quota") if no else one

        return outcomes(seen(answered(changed(view, intents=crowd), answer)))

    assert outcome_of(0, 3) == outcome_of(2, 3) == "2 granted, 2 refused (all as planned)"
    assert outcome_of(1, 2, 3) == "1 granted, 3 refused (2 as planned; 1 not: quota 1)"
    assert outcome_of() == "4 granted (2 of them were planned to be refused)"


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8080", "localhost", "https://127.0.0.1:8080", "http://", "http://h:0", "http://h:x",
     "http://h/path", "http://me:secret@h"],
)  # fmt: skip
def test_a_gateway_that_is_no_url_is_refused_with_a_clear_line(url: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        plan_load(str(SMOKE), ["http://127.0.0.1:1", url])
    (problem,) = caught.value.problems
    assert problem.path == "--host, --gateways"
    assert repr(url.replace("me:secret", "...")) in str(problem)
    assert "http://127.0.0.1:8080" in str(problem)


def ran(runs: Path, answer: Callable[[Intent], tuple[int, str, str | None]]) -> tuple[RunDir, str]:
    """A load of the smoke scenario that was answered so; the run and its closing line, exit 3."""
    planned = plan_load(str(SMOKE), ["http://127.0.0.1:1"])
    run = begin(planned, runs)
    t0_ns = 10**12
    write_rows(
        run.stream_path("attempts"), "attempts",
        [_attempt(intent, t0_ns, *answer(intent)) for intent in planned.intents],
    )  # fmt: skip
    manifest = _manifest(planned)
    record(run, how_ended(manifest, None), t0_ns, t0_ns + 41 * 10**9)
    code, text = end(run, manifest, None)
    assert code == 3
    return run, text


def _attempt(intent: Intent, t0_ns: int, status: int, outcome: str, why: str | None) -> Attempt:
    due_ns = t0_ns + intent.due_ns
    return Attempt(intent.intent, "press", 1, due_ns, due_ns, None, due_ns + 10**7, status, outcome,
                   None, None, why, "gateway-1", "worker-1")  # fmt: skip


def _manifest(planned: Planned) -> Manifest:
    whole = len(planned.intents)
    return Manifest(True, (ShareEvidence(0, "worker-1", "h", whole, whole, "", 1, {}, 0, 40),))


def test_the_closing_line_has_the_outcomes_and_unknown_borrowers_are_exit_3(tmp_path: Path) -> None:
    planned = plan_load(str(SMOKE), ["http://127.0.0.1:1"])
    fates = tuple(foresee(planned.population, planned.intents, (), (), 0))
    known = range(1, 1001)

    def of_a_small_lender(intent: Intent) -> tuple[int, str, str | None]:
        if intent.borrower not in known:
            return 403, "refused", "barred"
        if fates[intent.intent] == "refused":
            return 403, "refused", "over-quota"
        return 201, "granted", None

    run, text = ran(tmp_path, of_a_small_lender)
    total = len(planned.intents)
    strangers = {one.borrower for one in planned.intents} - set(known)
    promised = [n for n, fate in enumerate(fates) if fate == "promised"]
    granted = [n for n in promised if planned.intents[n].borrower in known]
    assert granted
    assert text.startswith(f"{total:,} of {total:,} planned draws offered: {len(granted)} granted")
    assert f"{len(strangers):,} of the plan's borrowers are unknown to the lender" in text
    assert "lender up --scenario" in text
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["plan"] == fingerprints(planned.intents, planned.repayments)


def test_nobody_answered_is_exit_3(tmp_path: Path) -> None:
    _, text = ran(tmp_path, lambda _: (0, "failed", "connect-ConnectionRefusedError"))
    assert "no gateway has answered anything" in text
    assert "failed (connect-ConnectionRefusedError " in text


def test_recheck_of_a_load_alone_says_so_and_invents_nothing(tmp_path: Path) -> None:
    run, _ = ran(tmp_path, lambda _: (0, "failed", "connect-ConnectionRefusedError"))
    assert is_load_alone(run)
    told = command("recheck", str(run.path))
    assert told.exit == 3
    assert "a load alone, without a drill: there are no books" in told.out.splitlines()[0]
    assert "in doubt    no gateway has answered anything" in told.out
    for invented in ("broken", "rightly", "access", "planned faults", "evidence is missing"):
        assert invented not in told.out
    verdict = json.loads((run.path / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["exit_code"]) == ("inconclusive", 3)
    assert {verdict[key] for key in ("guarantee", "audit", "faults", "latency_ms")} == {None}
    assert verdict["load_alone"]["ends"] == {"failed": verdict["load_alone"]["planned"]}
    names = ("verdict.json", "summary.md", "report.html", "junit.xml")
    before = [(run.path / name).read_bytes() for name in names]
    write_load_alone(run)
    assert [(run.path / name).read_bytes() for name in names] == before
    assert b"a load alone" in before[2]
