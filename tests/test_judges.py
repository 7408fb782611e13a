"""What a gateway does with the answers of risk and compliance, and without them."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mock_lender.cluster.config import CapacityConfig, LenderConfig
from mock_lender.cluster.postgres import Access
from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.http.wire import Reply
from mock_lender.judges import Judges, Standing, Verdict, Wanted, standing_of
from mock_lender.resilience.profile import PROFILES
from mock_lender.rulebook import Wanted as Entered
from mock_lender.rulebook import Writer
from mock_lender.telemetry import Telemetry
from tests.lender_process import TOKEN

FULL = PROFILES["full"]
WITHOUT = tuple(name for name in FULL if name != "last_verdict")
WANTED = Wanted("key-0001", 7, 300_000, "education")
NS_PER_S = 10**9


def judges(tmp_path: Path, protections: tuple[str, ...] = FULL, **config: Any) -> Judges:
    made = LenderConfig(
        work_dir="", telemetry_dir=str(tmp_path), topology_json="", population_csv="",
        cache_dir="", token=TOKEN, protections=protections, replicas={"risk": 2, "compliance": 2},
        capacity=CapacityConfig(1, 1, 1, 0.0), tiers=(), barred_purposes=("securities",),
        **config,
    )  # fmt: skip
    telemetry = Telemetry(tmp_path, "gateway-1")
    ctx = ServiceContext("gateway-1", "gateway", made, {}, tmp_path / "w", Access("p"), telemetry)
    return Judges(ctx)


class Answers:
    """Who is asked says what is next for it, and the last of it for ever; nothing: no answer."""

    def __init__(self, **of: list[Reply]) -> None:
        self.of = of
        self.asked: list[str] = []
        self.waits: list[float | None] = []
        self.avoided: list[list[str]] = []

    async def __call__(
        self, service: str, _: str, __: Mapping[str, Any], wait_s: float | None,
        avoid: Collection[str],
    ) -> Reply:  # fmt: skip
        self.asked.append(service)
        self.waits.append(wait_s)
        self.avoided.append(list(avoid))
        mine = self.of.get(service, [])
        if not mine:
            return Reply("unknown", f"{service}-1", why="timeout")
        return mine.pop(0) if len(mine) > 1 else mine[0]


def yes(version: str, revision: int = 0, **more: object) -> Reply:
    body = {"approved": True, version: 1, "decided_ns": 5, "revision": revision, **more}
    return Reply("answer", f"{version}-1", 200, body)


def told(
    made: Judges, answers: Answers, wanted: Wanted = WANTED, shut: Collection[str] = ()
) -> dict[str, Verdict | None]:
    return dict(asyncio.run(made.of(wanted, answers, shut)))


def standing(age_s: float = 1.0, **more: Any) -> Standing:
    decided_ns = time.monotonic_ns() - int(age_s * NS_PER_S)
    body = {"version": "1", "policy": 1, "decided_ns": decided_ns, "revision": 0,
            "refused": [9], "above_fen": None, "cut": [[5_000, [8]]], **more}  # fmt: skip
    return standing_of(body, None)


def test_what_can_not_be_written_down_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, which is over: the last verdict is kept up again."""
    asked: list[str] = []
    answered = asyncio.Event()

    class Risk:
        async def call(self, service: str, *_: object, **__: object) -> Reply:
            asked.append(service)
            if len(asked) < 3:
                raise OSError("No space left")
            body = {"version": "1", "policy": 1, "decided_ns": 5, "refused": [], "cut": [],
                    "above_fen": None}  # fmt: skip
            answered.set()
            return Reply("answer", "risk-1", 200, body)

    async def go() -> None:
        made = judges(tmp_path, ("last_verdict",))
        monkeypatch.setattr(made, "_settings", replace(made._settings, verdict_every_s=0.0))
        await made.start(cast(HopClient, Risk()))
        async with asyncio.timeout(5):
            await answered.wait()
        await made.stop()

    asyncio.run(go())


def test_answers_are_told_as_they_are(tmp_path: Path) -> None:
    no = Reply("answer", "compliance-1", 403, {"approved": False, "rules": 3, "decided_ns": 6,
                                               "reason": "purpose-barred"})  # fmt: skip
    found = told(judges(tmp_path), Answers(risk=[yes("policy", limit_bp=5_000)], compliance=[no]))
    assert found["risk"] == Verdict(1, 5, None, 5_000)
    assert found["compliance"] == Verdict(3, 6, "purpose-barred")


def test_without_an_answer_the_draw_fails_or_goes_on_unjudged(tmp_path: Path) -> None:
    assert told(judges(tmp_path, WITHOUT), Answers()) == {"risk": None, "compliance": None}
    opened = judges(tmp_path, WITHOUT, judge_lost="open")
    assert told(opened, Answers())["risk"] == Verdict(None, None)
    assert "verdicts_unjudged_total 2" in opened.counts()


def test_the_last_verdict_approves_and_says_from_when_it_is(tmp_path: Path) -> None:
    made = judges(tmp_path)
    made._standing = standing()
    found = told(made, Answers())
    assert found["risk"] == Verdict(1, made._standing.decided_ns)
    assert found["compliance"] is not None
    assert "verdicts_last_total 2" in made.counts()
    rows = (tmp_path / "states.gateway-1.csv").read_text()
    assert "gateway-1,verdict,key-0001,risk last," in rows
    assert told(judges(tmp_path, WITHOUT), Answers())["risk"] is None


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (standing(age_s=60.0), WANTED),
        (standing(), WANTED.__class__("k", 7, 400_001, "education")),
        (standing(), WANTED.__class__("k", 9, 100, "education")),
        (standing(), WANTED.__class__("k", 8, 100, "education")),
        (standing(above_fen=200), WANTED),
        (None, WANTED),
    ],
    ids=["too old", "too much", "refused", "cut", "above what policies allow", "none"],
)
def test_it_is_bounded_and_refuses_nobody_for_good(
    tmp_path: Path, known: Standing | None, wanted: Wanted
) -> None:
    made = judges(tmp_path)
    made._standing = known
    assert told(made, Answers(compliance=[yes("rules")]), wanted)["risk"] is None
    assert "verdicts_none_total 1" in made.counts()


def test_who_has_a_last_verdict_waits_less_and_knocks_at_no_shut_door(tmp_path: Path) -> None:
    made = judges(tmp_path)
    made._standing = standing()
    answers = Answers(compliance=[yes("rules")])
    told(made, answers, shut={"risk-1"})
    assert answers.waits == [made._settings.verdict_wait_s] * 2
    shut = Answers(compliance=[yes("rules")])
    assert told(made, shut, shut={"risk-1", "risk-2"})["risk"] is not None
    assert shut.asked == ["compliance"]
    too_much = Wanted("k", 7, 400_001, "education")
    asked = Answers(compliance=[yes("rules")])
    assert told(made, asked, too_much, {"risk-1", "risk-2"})["risk"] is None
    assert asked.asked == ["risk", "compliance"]


def test_rules_are_looked_up_here_by_their_dates(tmp_path: Path) -> None:
    made = judges(tmp_path)
    made._standing = standing()
    barred = Wanted("k", 7, 100, "securities")
    assert told(made, Answers(), barred)["compliance"] is None
    writer = Writer(tmp_path / "rulebook.json")
    writer.publish("r", [Entered("compliance", 60.0, forbids="education", adopted_s=3600.0)])
    assert told(made, Answers())["compliance"] is not None
    writer.publish("s", [Entered("compliance", 60.0, forbids="education", adopted_s=-1.0)])
    assert told(made, Answers())["compliance"] is None


@pytest.mark.parametrize(("protections", "asked"), [(FULL, 2), (("retries",), 1)])
def test_an_answer_by_an_older_book_is_not_believed(
    tmp_path: Path, protections: tuple[str, ...], asked: int
) -> None:
    made = judges(tmp_path, protections)
    told(made, Answers(risk=[yes("policy", 200)], compliance=[yes("rules", 200)]))
    answers = Answers(risk=[yes("policy", 100), yes("policy", 200)], compliance=[yes("rules", 200)])
    assert told(made, answers)["risk"] is not None
    assert answers.asked.count("risk") == asked
    assert (["policy-1"] in answers.avoided) == (asked == 2)
    both = Answers(risk=[yes("policy", 100)], compliance=[yes("rules", 200)])
    assert (told(made, both)["risk"] is None) == (protections is FULL)


@pytest.mark.parametrize(
    ("policy", "wanted", "approved"),
    [
        ({"above_fen": 300_000}, WANTED, True),
        ({"above_fen": 299_999}, WANTED, False),
        ({"above_fen": 299_999, "adopted_s": 60.0}, WANTED, True),
        ({"keep_bp": 5_000, "score_below": 10}, WANTED, False),
        ({"keep_bp": 5_000, "above_fen": 10**9}, WANTED, False),
        ({"stress_bp": 5_000, "score_below": 10}, WANTED, False),
    ],
    ids=["below", "above", "not adopted yet", "a cut", "a cut with a maximum", "a bar"],
)
@pytest.mark.parametrize("behind", [True, False])
def test_a_last_verdict_approves_nothing_that_a_policy_of_since_may_forbid(
    tmp_path: Path, policy: dict[str, Any], wanted: Wanted, approved: bool, behind: bool
) -> None:
    """All replicas are behind, or none answers. Once risk has gone by the policy, its standing
    verdict is believed again; without the handshake it always is."""
    made = judges(tmp_path)
    made._standing = standing()
    unaware = judges(tmp_path, tuple(name for name in FULL if name != "policy_handshake"))
    unaware._standing = made._standing
    (entry,) = Writer(tmp_path / "rulebook.json").publish(
        "r", [Entered("risk", 60.0, **({"adopted_s": -1.0} | policy))]
    )
    newest = (tmp_path / "rulebook.json").stat().st_mtime_ns
    risk = [yes("policy", newest - 1)] if behind else []
    old = Answers(risk=risk, compliance=[yes("rules", newest)])
    assert (told(made, old, wanted)["risk"] is not None) is approved
    assert told(unaware, old, wanted)["risk"] is not None
    made._standing = standing(version=str(entry.number), revision=newest)
    assert told(made, old, wanted)["risk"] is not None


def test_a_book_that_was_only_heard_of_may_forbid_anything(tmp_path: Path) -> None:
    made = judges(tmp_path)
    made._standing = standing(revision=100)
    told(made, Answers(risk=[yes("policy", 100)], compliance=[yes("rules", 100)]))
    # Its own book says nothing of 100, nor of 200.
    assert told(made, Answers())["risk"] is not None
    told(made, Answers(risk=[yes("policy", 200)], compliance=[yes("rules", 200)]))
    assert told(made, Answers()) == {"risk": None, "compliance": None}


def test_a_gateway_knows_the_book_itself(tmp_path: Path) -> None:
    made = judges(tmp_path)
    Writer(tmp_path / "rulebook.json").publish("r", [Entered("risk", 60.0, above_fen=1)])
    newest = (tmp_path / "rulebook.json").stat().st_mtime_ns
    old = Answers(risk=[yes("policy", newest - 1)], compliance=[yes("rules", newest)])
    assert told(made, old)["risk"] is None
    new = Answers(risk=[yes("policy", newest)], compliance=[yes("rules", newest)])
    assert told(made, new)["risk"] is not None


def test_a_standing_verdict_that_has_not_changed_is_dated_anew() -> None:
    first = standing()
    again = standing_of({"version": "1", "policy": 1, "decided_ns": 77}, first)
    assert (again.decided_ns, again.unsure) == (77, first.unsure)
    with pytest.raises(KeyError):
        standing_of({"version": "2", "policy": 1, "decided_ns": 77}, first)
