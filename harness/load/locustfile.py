"""The one importer of locust, which patches the whole process. Three ways to run it:

    python -m harness.load.locustfile PLAN master          as a drill does: PLAN is a file, the run
    python -m harness.load.locustfile PLAN worker-1        directory is in it; a worker may be given
    python -m harness.load.locustfile HOST:PORT worker-2   the master's address instead

    locust -f harness/load/locustfile.py --headless --scenario FILE --host URL
                                    [--processes N | --master | --worker --master-host HOST]

Locust gives the processes, the channel between them and, to whoever looks at its page, pictures;
what is sent when, and what is kept of it, is ours: its statistics round, mix failures in, and are
never judged by. A share of the schedule belongs to a worker process, not to a spawned user: users
that Locust spawns, stops or spawns again when a worker was missing for a while start nothing.
"""

import gevent.monkey

gevent.monkey.patch_all()

import logging  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.queue import SimpleQueue  # noqa: E402
from locust import User, events, runners, task  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.exception import RPCError  # noqa: E402

from harness.clock import NS_PER_MS, NS_PER_S  # noqa: E402
from harness.errors import DrawproofError, HarnessError  # noqa: E402
from harness.evidence.tables import read_rows  # noqa: E402
from harness.load import plain  # noqa: E402
from harness.load.conversation import Labour, LocalWire, Wire, lead  # noqa: E402
from harness.load.courier import Courier  # noqa: E402
from harness.load.desk import Desk, say  # noqa: E402
from harness.load.master import Master  # noqa: E402
from harness.load.messages import NAMES, PREFIX, Message  # noqa: E402
from harness.load.plan import COMMAND, LOST_AFTER_S, LoadPlan  # noqa: E402
from harness.load.worker import Clock, Note  # noqa: E402

HURRY = -5
# For tests: this worker's clock goes wrong by so much. Nothing else reads a clock in a worker.
SKEW = "DRAWPROOF_CLOCK_SKEW_MS"

logger = logging.getLogger(__name__)
# Locust calls a worker missing after 4 s and spawns its users elsewhere; the rule here is ours.
runners.HEARTBEAT_LIVENESS = int(LOST_AFTER_S)


class Borrowers(User):
    """Locust wants users to run; the greenlets of the share do the work, so this one only waits."""

    @task
    def wait(self) -> None:
        gevent.sleep(3600)


class LocustWire:
    """Locust's channel, on either side."""

    def __init__(self, runner: Any, clock: Clock) -> None:
        self.inbox: SimpleQueue = SimpleQueue()
        self.listening = True
        self._runner = runner
        self._clock = clock
        for name in NAMES:
            runner.register_message(PREFIX + name, self._heard)

    def _heard(self, environment: Any, msg: Any, **_: Any) -> None:
        if self.listening:
            kind = msg.type.removeprefix(PREFIX)
            self.inbox.put(Message(kind, msg.node_id, msg.data, self._clock()))

    def send(self, message: Message) -> None:
        try:
            self._runner.send_message(PREFIX + message.kind, message.data, message.node or None)
        except RPCError as exc:
            logger.warning("%s was not sent, and will be again: %s", message.kind, exc)


def own_clock() -> Clock:
    """CLOCK_MONOTONIC, unless a test makes it go wrong."""
    skew_ns = int(float(os.environ.get(SKEW, "0")) * NS_PER_MS)
    return time.monotonic_ns if not skew_ns else lambda: time.monotonic_ns() + skew_ns


def noting(environment: Any) -> Note:
    """Tells Locust's statistics, for its own page and summary."""

    def note(kind: str, took_ms: float, trouble: Exception | None) -> None:
        environment.events.request.fire(
            request_type=kind, name=kind, response_time=took_ms, response_length=0,
            exception=trouble, context={},
        )  # fmt: skip

    return note


def hurry() -> None:
    """The generator must not wait for whom it measures, nor lack descriptors, where it may ask."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        os.nice(HURRY)
    except PermissionError:
        logger.info("may not raise its own priority")


# A drill's processes.


def run_master(plan: LoadPlan) -> int:
    """Until all shares are closed or lost; the manifest is written then."""
    intents, _, _ = read_rows(Path(plan.run), "intents")
    environment = Environment(user_classes=[Borrowers])
    runner = environment.create_master_runner(plan.master_host, plan.master_port)
    try:
        master = Master(plan, intents, Path(plan.run))
    except HarnessError as exc:
        say(finished=True, failure=str(exc))
        os._exit(1)
    try:
        lead(
            master, LocustWire(runner, time.monotonic_ns),
            Desk(master, Path(plan.run) / "work" / COMMAND).look,
        )  # fmt: skip
        master.finish()
    except HarnessError as exc:
        master.failure = master.failure or str(exc)
    say(progress=master.counts(), lost=master.lost)
    say(finished=True, failure=master.failure)
    gevent.sleep(0.1)
    os._exit(1 if master.failure else 0)  # locust's own quit waits, and has nothing left to do


def run_worker(host: str, port: int, name: str) -> int:
    """One share, from the hello until the master has all that was seen of it."""
    hurry()
    environment = Environment(user_classes=[Borrowers])
    runner = environment.create_worker_runner(host, port)
    clock = own_clock()
    number = name.rpartition("-")[2]
    courier = Courier(name, socket.gethostname(), int(number) - 1 if number.isdigit() else None)
    # Nobody looks at Locust's page during a drill: its statistics would be kept for none.
    trouble = Labour(courier, LocustWire(runner, clock), lambda *_: None, clock).run()
    if trouble is not None:
        logger.error("%s: %s", name, trouble)
        print(f"{name}: {trouble}", file=sys.stderr, flush=True)
    os._exit(0 if trouble is None else 1)


def main(argv: Sequence[str]) -> int:
    where, name = argv
    host, colon, port = where.rpartition(":")
    if colon and port.isdigit() and name != "master":
        return run_worker(host, int(port), name)
    plan = LoadPlan.read(Path(where))
    if name == "master":
        return run_master(plan)
    return run_worker(plan.master_host, plan.master_port, name)


# Plain Locust's.


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # as locust has it
def _options(parser: Any, **_: Any) -> None:
    for name, default, text in (
        ("scenario", "", "drawproof's scenario file"),
        ("gateways", "", "URLs of the lender's gateways, with commas; --host if not given"),
        ("runs", "runs", "where the run's evidence goes"),
    ):
        env_var = f"DRAWPROOF_{name.upper()}"
        parser.add_argument(f"--{name}", env_var=env_var, default=default, help=text)


def say_last(text: str) -> None:
    """What became of the load, in one line."""
    print(f"drawproof: {text}", flush=True)


class Plain:
    """One load under Locust's own command: in its master, or alone; never in a worker."""

    def __init__(self, environment: Any, runner: Any) -> None:
        options = environment.parsed_options
        gateways = (options.gateways or options.host or "").split(",")
        self._planned = plain.plan_load(options.scenario, gateways)
        self._runs = Path(options.runs)
        self._environment = environment
        self._runner = runner
        self._local = not isinstance(runner, runners.MasterRunner)
        self._master: Master | None = None
        self._over = gevent.event.Event()
        self._t0_ns = 0
        self._wire: Any = LocalWire(time.monotonic_ns)
        if not self._local:
            self._wire = LocustWire(runner, time.monotonic_ns)
            self._wire.listening = False
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stopping.add_listener(self._stop)
        # Locust settles its exit code after this one, and before it stops what runs.
        environment.events.quitting.add_listener(self._stop)

    def _start(self, environment: Any, **_: Any) -> None:
        """The shares are as many as there are workers now; a second start starts nothing."""
        if self._master is None and not self._over.is_set():
            gevent.spawn(self._load).link_exception(self._failed)

    def _stop(self, environment: Any, **_: Any) -> None:
        """Locust kills what it stops: first what is in flight ends, and is written down."""
        if self._master is not None and not self._over.is_set():
            self._master.order("stop", "by Locust")
            self._over.wait(self._planned.plan.late_s + LOST_AFTER_S)

    def _failed(self, greenlet: Any) -> None:
        self._end(5, f"the load failed: {greenlet.exception}")

    def _load(self) -> None:
        workers = 1 if self._local else max(1, self._runner.worker_count)
        run = plain.begin(self._planned, self._runs)
        plan = replace(self._planned.plan, run=str(run.path), workers=workers)
        self._master = master = Master(plan, self._planned.intents, run.path)
        self._wire.listening = True
        if self._local:
            gevent.spawn(self._labour).link_exception(self._failed)
        lead(master, self._wire, lambda: self._look(master))
        manifest = master.finish()
        end_ns = time.monotonic_ns()
        ended = plain.how_ended(manifest, master.lost)
        plain.record(run, ended, self._t0_ns, min(end_ns, self._t0_ns + self._load_ns()))
        code, text = plain.end(run, manifest, master.failure)
        self._end(code, f"{text}; {run.path}")

    def _load_ns(self) -> int:
        return int(self._planned.plan.load_s * NS_PER_S)

    def _look(self, master: Master) -> None:
        if master.ready and not self._t0_ns:
            self._t0_ns = time.monotonic_ns() + plain.LEAD_NS
            master.order("fire", {"t0_ns": self._t0_ns, "urls": self._planned.urls})

    def _labour(self) -> None:
        clock = own_clock()
        wire = LocalWire(clock)
        wire.to, self._wire.to = self._wire, wire
        courier = Courier("worker-1", socket.gethostname(), 0)
        Labour(courier, wire, noting(self._environment), clock).run()

    def _end(self, code: int, text: str) -> None:
        """Said at once to whoever looks at Locust's page; else last, below Locust's own tables."""
        self._environment.process_exit_code = code
        self._over.set()
        if self._environment.parsed_options.headless:
            self._environment.events.quit.add_listener(lambda **_: say_last(text))
            gevent.spawn(self._runner.quit)
        else:
            say_last(text)
            gevent.spawn(self._runner.stop)


@events.init.add_listener  # type: ignore[untyped-decorator]  # as locust has it
def _begin(environment: Any, runner: Any, **_: Any) -> None:
    if not isinstance(runner, runners.WorkerRunner):
        try:
            Plain(environment, runner)
        except DrawproofError as exc:
            print(exc, file=sys.stderr)
            sys.exit(exc.exit_code)
        return
    hurry()
    clock = own_clock()
    courier = Courier("", socket.gethostname(), None)
    wire: Wire = LocustWire(runner, clock)

    def labour() -> None:
        trouble = Labour(courier, wire, noting(environment), clock).run()
        if trouble is not None:
            logger.error("the load of this worker: %s", trouble)
            environment.process_exit_code = 1
            runner.quit()

    gevent.spawn(labour)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
