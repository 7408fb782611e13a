"""Parts of benchmarks/load.py that run a load against the stub: one run of each, as figures.

`short` makes a run small enough for a look; its figures prove nothing. Each gives its own figures
under `ours` and the peers' under `peers`.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.load_peers import Used, hey, stock, wrk
from benchmarks.load_run import Load, Loaded, compacted_bytes, planned, run_load
from benchmarks.load_stub_up import StubUp, stub_up
from benchmarks.load_truth import (
    Freeze,
    digest,
    freeze_waits_ns,
    quantile,
    queue_waits_ns,
    within,
)

RATES = (2000, 3000)
LATE_S, SHORT_S = 20.0, 5.0
STOCK_USERS = 100
FREEZING_S, FREEZING_SHORT_S = 50.0, 12.0
CALM_PER_S, BUSY_PER_S = 100, 500
CLOSED_USERS = 10
SERVERS, SERVICE_MS = 4, 20.0
SHARES = (0.5, 0.7, 0.9)
QUEUE_S = 40.0
WORKERS = (1, 2, 4)
PLAN_PER_S, PLAN_S = 200, 10.0


def lateness(*, short: bool) -> dict[str, Any]:
    """sent less due at each rate from one worker, and CPU a request beside stock Locust's."""
    found: dict[str, Any] = {"ours": {}, "peers": {}}
    seconds = SHORT_S if short else LATE_S
    with tempfile.TemporaryDirectory(prefix="load-") as name, stub_up(Path(name), "fast") as stub:
        runs = []
        for rate in RATES:
            ours = run_load(Path(name), stub.url, Load(rate, seconds))
            said, used = stock(
                Path(name), stub.url, rate_per_s=rate, users=STOCK_USERS, seconds=seconds
            )
            runs.append((rate, ours, said, used))
        stub.stop()
        for rate, ours, said, used in runs:
            mine = _late(ours, stub)
            theirs = {**said, **_cost(stub, used)}
            ratio = mine["cpu_ms_per_request"] / theirs["cpu_ms_per_request"]
            whole = mine["cpu_ms_per_request_with_master"] / theirs["cpu_ms_per_request"]
            found["ours"][str(rate)] = {
                **mine, "cpu_of_stock": round(ratio, 3), "cpu_of_stock_with_master": round(whole, 3)
            }  # fmt: skip
            found["peers"][str(rate)] = {"locust": theirs}
    return found


def _late(ours: Loaded, stub: StubUp) -> dict[str, Any]:
    late_ms = ours.late_ms()
    worker, master = Used(*ours.cpu("worker-1")), Used(*ours.cpu("master"))
    cost = _cost(stub, worker)
    with_master = cost["cpu_ms_per_request"] + _cost(stub, master)["cpu_ms_per_request"]
    return {
        "late_ms": {q: round(quantile(late_ms, share), 3) for q, share in
                    (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "requests": len(late_ms), "planned": len(ours.intents), "complete": int(ours.complete),
        **cost, "cpu_ms_per_request_with_master": round(with_master, 4),
    }  # fmt: skip


def _cost(stub: StubUp, used: Used) -> dict[str, Any]:
    """CPU a request, over the requests that the stub itself counted in the same span."""
    requests = stub.arrived_between(used.from_ns, used.to_ns)
    span_s = (used.to_ns - used.from_ns) / 1e9
    return {
        "cpu_ms_per_request": round(used.cpu_s * 1000 / max(requests, 1), 4),
        "per_s": round(requests / span_s, 1),
    }


def honesty(*, short: bool) -> dict[str, Any]:
    """A stub that freezes: what we say of it at two rates, what is true, and what peers say."""
    seconds = FREEZING_SHORT_S if short else FREEZING_S
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        stub_up(Path(name), "freezing") as stub,
    ):
        folder = Path(name)
        calm = run_load(folder, stub.url, Load(CALM_PER_S, seconds))
        busy = run_load(folder, stub.url, Load(BUSY_PER_S, seconds))
        said, _ = stock(
            folder, stub.url, rate_per_s=CALM_PER_S, users=CLOSED_USERS, seconds=seconds
        )
        peers: dict[str, Any] = {
            "locust": said,
            "wrk": wrk(folder, stub.url, connections=CLOSED_USERS, seconds=seconds),
            "hey": hey(stub.url, rate_per_s=CALM_PER_S, users=CLOSED_USERS, seconds=seconds),
        }
        stub.stop()
        freezes = stub.freezes()
    ours = {f"{CALM_PER_S}": _told(calm, freezes), f"{BUSY_PER_S}": _told(busy, freezes)}
    ours[f"{BUSY_PER_S}"]["releases"] = _releases(busy, freezes)
    return {"ours": ours, "peers": peers}


def _told(loaded: Loaded, freezes: list[Freeze]) -> dict[str, Any]:
    """Our quantiles beside the true ones; `right` as load_truth.within has it."""
    answered = sorted(loaded.answered().values())
    ours_ms = [(done_ns - due_ns) / 1e6 for due_ns, done_ns in answered]
    true_ms = [wait / 1e6 for wait in freeze_waits_ns((due for due, _ in answered), freezes)]
    found: dict[str, Any] = {"requests": len(ours_ms), "planned": len(loaded.intents),
                             "complete": int(loaded.complete)}  # fmt: skip
    for word, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        mine, truth = quantile(ours_ms, share), quantile(true_ms, share)
        found[word] = {
            "ours_ms": round(mine, 3), "true_ms": round(truth, 3),
            "error_ms": round(mine - truth, 3), "right": int(within(mine, truth)),
        }  # fmt: skip
    return found


def _releases(loaded: Loaded, freezes: list[Freeze]) -> dict[str, Any]:
    """How late the last answer of each release was taken up, beside the lag we reported for it.

    From when the stub had sent it: its own time to send them all is given apart, being no error of
    ours. Of draws that had left before the release: what leaves later is late, which is another
    figure of the same second.
    """
    sent_ns = {a.intent: a.sent_ns or 0 for a in loaded.attempts if a.kind == "press"}
    errors_ms: list[float] = []
    lags_ms: list[float] = []
    sending_ms: list[float] = []
    for freeze in freezes:
        held = [
            done_ns
            for number, (_, done_ns) in loaded.answered().items()
            if freeze.from_ns <= sent_ns[number] < freeze.released_ns <= done_ns
        ]
        if held and loaded.t0_ns <= freeze.from_ns and freeze.released_ns < loaded.end_ns:
            errors_ms.append((max(held) - freeze.last_ns) / 1e6)
            lags_ms.append(loaded.lag_ns(freeze.released_ns, max(held)) / 1e6)
            sending_ms.append((freeze.last_ns - freeze.released_ns) / 1e6)
    if not errors_ms:
        return {"count": 0}
    apart_ms = [error - lag for error, lag in zip(errors_ms, lags_ms, strict=True)]
    return {
        "count": len(errors_ms), "error_ms": round(statistics.median(errors_ms), 3),
        "lag_reported_ms": round(statistics.median(lags_ms), 3),
        "error_less_lag_ms": round(statistics.median(apart_ms), 3),
        "error_less_lag_ms_lowest": round(min(apart_ms), 3),
        "error_less_lag_ms_highest": round(max(apart_ms), 3),
        "stub_sending_ms": round(statistics.median(sending_ms), 3),
    }  # fmt: skip


def queue(*, short: bool) -> dict[str, Any]:
    """c servers and one queue: each draw's latency beside its exact wait and its own service."""
    found = {}
    for share in SHARES:
        rate = share * SERVERS * 1000 / SERVICE_MS
        with (
            tempfile.TemporaryDirectory(prefix="load-") as name,
            stub_up(Path(name), "queue", servers=SERVERS, service_ms=SERVICE_MS) as stub,
        ):
            loaded = run_load(Path(name), stub.url, Load(rate, SHORT_S if short else QUEUE_S))
            stub.stop()
            found[f"{share:.0%}"] = _queued(loaded, stub.served())
    return {"ours": found, "peers": {}}


def _queued(loaded: Loaded, served: dict[str, tuple[int, int, int]]) -> dict[str, Any]:
    """What each has waited, measured and exact: from when it was due, and, to see what of the error
    is our lateness, from when it was sent. `medians_ms`: where an error can come from."""
    keys = {intent.intent: intent.draw_key for intent in loaded.intents}
    sent_ns = {a.intent: a.sent_ns or 0 for a in loaded.attempts if a.kind == "press"}
    came = sorted(
        (due, sent_ns[number], done, *served[keys[number]])
        for number, (due, done) in loaded.answered().items()
    )
    from_due = _errors_ms([(due, done, end - start) for due, _, done, _, start, end in came])
    from_sent = _errors_ms([(sent, done, end - start) for _, sent, done, _, start, end in came])
    busy_ns = sum(end - start for *_, start, end in came)
    medians = {
        "sent_late": statistics.median(sent - due for due, sent, *_ in came),
        "to_the_stub": statistics.median(there - sent for _, sent, _, there, *_ in came),
        "from_the_stub": statistics.median(done - end for _, _, done, *_, end in came),
    }
    return {
        "error_ms_median": round(statistics.median(map(abs, from_due)), 3),
        "error_ms_p99": round(quantile(map(abs, from_due), 0.99), 3),
        "error_from_sent_ms_median": round(statistics.median(map(abs, from_sent)), 3),
        "medians_ms": {name: round(value / 1e6, 3) for name, value in medians.items()},
        "busy": round(busy_ns / SERVERS / (came[-1][0] - came[0][0]), 3),
        "requests": len(came), "planned": len(loaded.intents), "complete": int(loaded.complete),
    }  # fmt: skip


def _errors_ms(came: list[tuple[int, int, int]]) -> list[float]:
    """Of (arrival, answered, service): the wait as measured less the exact one."""
    came = sorted(came)
    exact_ns = queue_waits_ns([at for at, _, _ in came], [of for _, _, of in came], SERVERS)
    return [
        (done - at - service - wait) / 1e6
        for (at, done, service), wait in zip(came, exact_ns, strict=True)
    ]


def plan(*, short: bool) -> dict[str, Any]:
    """Hashes of what was planned, and of what was sent when and what the stub was asked for."""
    found = {}
    for workers in WORKERS:
        load = Load(PLAN_PER_S, SHORT_S if short else PLAN_S, workers=workers)
        with (
            tempfile.TemporaryDirectory(prefix="load-") as name,
            stub_up(Path(name), "fast", bodies=True) as stub,
        ):
            loaded = run_load(Path(name), stub.url, load)
            per_attempt = compacted_bytes(loaded.run) / max(len(loaded.attempts), 1)
            stub.stop()
            wanted = digest((i.intent, i.due_ns, i.draw_key, i.borrower, i.amount_fen, i.purpose)
                            for i in planned(load))  # fmt: skip
            seen = digest(_seen(loaded, stub))
            found[str(workers)] = {
                "planned": wanted, "recorded": seen, "equal": int(wanted == seen),
                "intents": len(loaded.intents), "requests": len(stub.draws()),
                "workers_that_sent": len({a.worker for a in loaded.attempts}),
                "bytes_per_attempt": round(per_attempt, 1), "complete": int(loaded.complete),
            }  # fmt: skip
    same = len({one["recorded"] for one in found.values()}) == 1
    return {"ours": {**found, "same_for_all_workers": int(same)}, "peers": {}}


def _seen(loaded: Loaded, stub: StubUp) -> list[tuple[object, ...]]:
    """Number and due time as the attempts have them; key, borrower, amount and purpose as the stub
    was asked; in the order they came, joined by the key that the intents table has."""
    keys = {intent.draw_key: intent.intent for intent in loaded.intents}
    due = {
        a.intent: a.scheduled_ns - loaded.t0_ns
        for a in loaded.attempts
        if a.kind == "press" and a.n == 1
    }
    return [
        (number := keys.get(key, -1), due.get(number), key, *(
            body.get(word) for word in ("borrower", "amount_fen", "purpose")))
        for key, body in stub.draws()
    ]  # fmt: skip
