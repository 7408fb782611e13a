"""Locust's master and workers: `python -m harness.load.locustfile PLAN master|worker-N`.

The one importer of locust, which patches the whole process. Locust gives the processes, the
channel between them and who is missing; what is sent when, and what is kept of it, is ours: its
statistics round, mix failures in, and are never judged by.

The master says what happens in lines of JSON on its stdout and takes its orders from a file in
the run's work folder, so that it needs nothing of the controller but the run directory.
"""

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402  after the patch, as everything that may use sockets
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from locust import User, task  # noqa: E402
from locust.env import Environment  # noqa: E402

from harness.evidence.rows import Intent  # noqa: E402
from harness.evidence.tables import read_rows  # noqa: E402
from harness.load.plan import COMMAND, LoadPlan  # noqa: E402
from harness.load.worker import Worker  # noqa: E402

HOST = "127.0.0.1"
PROGRESS_S = 0.5
LOOK_S = 0.02
HURRY = -5


class Borrowers(User):
    """Locust wants users to run; our greenlets do the work, so this one only waits."""

    @task
    def wait(self) -> None:
        gevent.sleep(3600)


def say(**facts: Any) -> None:
    """One line of JSON for the controller."""
    print(json.dumps({"at_ns": time.monotonic_ns(), **facts}), flush=True)


def master(plan: LoadPlan) -> int:
    """Wait for the workers, pass the orders on, gather their progress, end when all have."""
    environment = Environment(user_classes=[Borrowers])
    runner = environment.create_master_runner(HOST, plan.master_port)
    ready: set[str] = set()
    done: set[str] = set()
    counts: dict[str, dict[str, int]] = {}
    troubles: list[str] = []

    def on_ready(environment: Any, msg: Any, **_: Any) -> None:
        ready.add(msg.data["worker"])

    def on_progress(environment: Any, msg: Any, **_: Any) -> None:
        counts[msg.data["worker"]] = msg.data["counts"]
        total: dict[str, int] = {}
        for one in counts.values():
            for name, count in one.items():
                total[name] = total.get(name, 0) + count
        say(progress=total)

    def on_done(environment: Any, msg: Any, **_: Any) -> None:
        done.add(msg.data["worker"])
        if msg.data["failure"]:
            troubles.append(f"{msg.data['worker']}: {msg.data['failure']}")
        runner.send_message("thanks", None, client_id=msg.node_id)

    for name, listener in (("ready", on_ready), ("progress", on_progress), ("done", on_done)):
        runner.register_message(name, listener)
    command_path = Path(plan.run) / "work" / COMMAND
    said: list[str] = []
    while len(done) < plan.workers and not troubles:
        if len(ready) == plan.workers and "ready" not in said:
            said.append("ready")
            say(ready=True)
        command = _read(command_path)
        for order in ("fire", "stop", "give_up"):
            if order in command and order not in said:
                said.append(order)
                runner.send_message(order, command[order])
        missing = [c.id for c in runner.clients.values() if c.state == "missing"]
        if missing:
            troubles.append(f"load workers went missing: {len(missing)}")
        gevent.sleep(LOOK_S)
    say(finished=not troubles, failure="; ".join(troubles) or None)
    gevent.sleep(0.1)
    os._exit(1 if troubles else 0)  # locust's own quit waits, and has nothing left to do


def worker(plan: LoadPlan, name: str) -> int:
    """One worker: its share of the intents, when told to."""
    _hurry()
    rows, _, _ = read_rows(Path(plan.run), "intents")
    number = int(name.rpartition("-")[2]) - 1
    mine = [intent for intent in (Intent(*row) for row in rows)  # type: ignore[arg-type]
            if intent.intent % plan.workers == number]  # fmt: skip
    environment = Environment(user_classes=[Borrowers])

    def note(kind: str, took_ms: float, trouble: Exception | None) -> None:
        environment.events.request.fire(  # type: ignore[no-untyped-call]  # as locust has it

            request_type=kind, name=kind, response_time=took_ms, response_length=0,
            exception=trouble, context={},
        )  # fmt: skip

    load = Worker(plan, name, mine, note)
    load.warm_up()
    runner = environment.create_worker_runner(HOST, plan.master_port)
    orders: dict[str, Any] = {}
    thanked = gevent.event.Event()

    def on_fire(environment: Any, msg: Any, **_: Any) -> None:
        orders["fire"] = msg.data

    def on_stop(environment: Any, msg: Any, **_: Any) -> None:
        load.stop_early()

    def on_give_up(environment: Any, msg: Any, **_: Any) -> None:
        load.give_up()

    def on_thanks(environment: Any, msg: Any, **_: Any) -> None:
        thanked.set()

    listeners = {"fire": on_fire, "stop": on_stop, "give_up": on_give_up, "thanks": on_thanks}
    for order, listener in listeners.items():
        runner.register_message(order, listener)
    runner.send_message("ready", {"worker": name})
    while "fire" not in orders:
        gevent.sleep(LOOK_S)

    def report() -> None:
        while True:
            runner.send_message("progress", {"worker": name, "counts": load.progress()})
            gevent.sleep(PROGRESS_S)

    gevent.spawn(report)
    load.run(orders["fire"]["t0_ns"], orders["fire"]["urls"])
    runner.send_message("progress", {"worker": name, "counts": load.progress()})
    runner.send_message("done", {"worker": name, "failure": load.failure})
    thanked.wait(5)
    os._exit(0 if load.failure is None else 1)


def _read(path: Path) -> dict[str, Any]:
    """The controller's orders, none yet if there is no file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def _hurry() -> None:
    """The generator must not wait for whom it measures, where that may be asked for."""
    try:
        os.nice(HURRY)
    except PermissionError:
        logging.getLogger(__name__).info("may not raise its own priority")


def main() -> int:
    plan = LoadPlan.read(Path(sys.argv[1]))
    return master(plan) if sys.argv[2] == "master" else worker(plan, sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
