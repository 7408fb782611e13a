"""Can the generator be believed? Measured against a stub whose every answer is known.

    python -m benchmarks.load lateness --runs 5   sent less due at 2,000 and 3,000/s; CPU a request
    python -m benchmarks.load honesty --runs 5    a stub that freezes 2 s in every 10 s
    python -m benchmarks.load queue --runs 5      c servers and one queue: each draw's exact wait
    python -m benchmarks.load recording --runs 5  CPU and bytes it takes; a million attempts read
    python -m benchmarks.load million --runs 5    the million alone
    python -m benchmarks.load plan --runs 5       planned = recorded, by 1, 2 and 4 workers
    python -m benchmarks.load soak --minutes 30   memory of each process at 100 a second

Everything but the lender is real: the plan, Locust's master and workers, the evidence. The stub is
part of the benchmark and runs in a process of its own; stock Locust, wrk and hey run beside us in
the same run against the same stub. wrk and hey may be missing, and are then said to be; on Debian
`apt-get install wrk hey`. Truth: an instant answer but for the freezes that the stub has logged;
the recursion of Kiefer and Wolfowitz over due times and logged service times.

Results: docs/results/load-PART.json, with commit and machine; `--resume` goes on; `--short` is a
look at whether it runs, prints and keeps nothing. The last line is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.load_parts import honesty, lateness, plan, queue
from benchmarks.load_recording import million, recording
from benchmarks.load_soak import PIECE_S, piece
from benchmarks.results import RESULTS, keep, kept, spreads
from harness.environment import commit

PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "lateness": lateness,
    "honesty": honesty,
    "queue": queue,
    "recording": recording,
    "million": million,
    "plan": plan,
}
SHORT_PIECE_S = 12.0


def measured(part: str, runs: int, *, resume: bool) -> dict[str, Any]:
    """Runs of a part until there are enough; their summary."""
    place = RESULTS / f"load-{part}.json"
    done = kept(place, "runs", resume=resume)
    while len(done) < runs:
        done.append({"commit": commit(), **PARTS[part](short=False)})
        keep(place, "runs", done, spreads(done))
        print(f"{len(done)}: {json.dumps(done[-1])}", flush=True)
    return spreads(done)


def soaked(minutes: float, *, resume: bool) -> dict[str, Any]:
    """Pieces until there are enough minutes; their summary."""
    place = RESULTS / "load-soak.json"
    done = kept(place, "pieces", resume=resume)
    while sum(one["seconds"] for one in done) < minutes * 60 - 1:
        done.append({"commit": commit(), **piece(len(done), min(PIECE_S, minutes * 60))})
        keep(place, "pieces", done, spreads(done))
        shown = {name: of["bytes_per_min"] for name, of in done[-1]["processes"].items()}
        print(f"{len(done)}: bytes a minute {json.dumps(shown)}", flush=True)
    return {"ours": {"pieces": len(done), **spreads(done)}, "peers": {}}


def look(part: str) -> dict[str, Any]:
    """One small run, for whoever changes this benchmark."""
    if part == "soak":
        return {"ours": piece(0, SHORT_PIECE_S), "peers": {}}
    return PARTS[part](short=True)


def shown(value: Any, path: str = "") -> list[str]:
    """For people: one line a number, its median and in brackets its spread."""
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in shown(one, f"{path}{key}.")]
    if isinstance(value, list):
        median, low, high = value
        return [f"  {path[:-1]:<48} {median:>12,.6g}   [{low:,.6g} .. {high:,.6g}]"]
    return [f"  {path[:-1]:<48} {value}"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=sorted([*PARTS, "soak"]))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    part = arguments.part
    if arguments.short:
        found = look(part)
    elif part == "soak":
        found = soaked(arguments.minutes, resume=arguments.resume)
    else:
        found = measured(part, arguments.runs, resume=arguments.resume)
    if not arguments.short:
        print("\n".join(shown(found)))
    figures, peers = {part: found["ours"]}, {part: found["peers"]}
    print(json.dumps({"benchmark": "load", "figures": figures, "peers": peers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
