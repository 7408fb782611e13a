"""The fault proxy: does it cost what a proxy may cost, and do its toxics do what they say?

    python -m benchmarks.proxy --runs 5

    rate       requests a second at 32 connections, CPU a request, the median added to an answer;
               HAProxy in TCP mode with one thread beside it in the same run (proxy_rate.py)
    latency    how far the median of a latency toxic is off, and whether its jitter is uniform
    bandwidth  what passes a second at four rates
    toxicity   the share of a thousand connections that is hit
    memory     2,000 connections whose clients do not read, their servers writing
               (proxy_memory.py; needs a network namespace)

HAProxy and wrk: `apt-get install haproxy wrk`. Processes are pinned to cores by `taskset`; where is
said in proxy_rate.py. Results: docs/results/proxy.json, with commit and machine; `--resume` goes
on; `--short` is a look at whether it runs, prints and keeps nothing. The last line is one JSON
object.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks.load import shown
from benchmarks.proxy_memory import memory
from benchmarks.proxy_rate import rate
from benchmarks.proxy_shaping import bandwidth, latency, toxicity
from benchmarks.results import RESULTS, keep, kept, spreads
from harness.environment import commit

PLACE = RESULTS / "proxy.json"


def run(*, short: bool) -> dict[str, Any]:
    """One run of everything."""
    return {
        "rate": rate(short=short),
        "latency": latency(short=short),
        "bandwidth": bandwidth(short=short),
        "toxicity": toxicity(short=short),
        "memory": memory(short=short),
    }


def measured(runs: int, *, resume: bool) -> dict[str, Any]:
    """Runs until there are enough; their summary."""
    done = kept(PLACE, "runs", resume=resume)
    while len(done) < runs:
        done.append({"commit": commit(), **run(short=False)})
        keep(PLACE, "runs", done, spreads(done))
        print(f"{len(done)}: {json.dumps(done[-1])}", flush=True)
    return spreads(done)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    if arguments.short:
        found = run(short=True)
    else:
        found = measured(arguments.runs, resume=arguments.resume)
        print("\n".join(shown(found)))
    peers = {"haproxy": found["rate"].pop("haproxy")}
    print(json.dumps({"benchmark": "proxy", "figures": found, "peers": peers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
