"""Kills the controller (kill -9) in the middle of every kind of fault, and looks at what is left.

    python -m benchmarks.fault_kills --kills 50 [--resume] [--only service]

Each kill has a short drill of its own with one fault of docs/faults.md's examples, the kinds in
turn. The moment is drawn from the time that the fault lasts, from the first line that the audit log
has of it. `clean_s`: how long until nothing is left: no process of the run (a stopped one is one),
no port that one of them listened on (services, database, proxies; with them go locks, leases and
settings), no shared memory, no file outside the run directory, no work folder, no token, and
nothing pending in the journal. Clean within 5 s or not at all. Faults of things that are not ours
(toolkit) are for `drawproof heal`, and not in here.

Results: docs/results/fault-kills.json. Exit 1 unless every kill was clean.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.kill_moments import ROOT, accepts, processes, scraps, segments
from benchmarks.results import RESULTS, keep, kept
from harness.environment import commit
from harness.faults.catalogue import CATALOGUE
from harness.faults.page import example
from harness.guardian.journal import Journal
from harness.processes import descendants

EXTERNAL = ("toolkit",)
LASTS_S = 6.0
WITHIN_S = 5.0
STARTS_WITHIN_S = 60.0
SHORT = (
    "phases.warmup=1s", "phases.baseline=2s", "phases.fault=12s", "phases.watch=2s",
    "load.shape={kind: steady, rate: 20/s}", "expect={baseline: [guarantee >= 50 %]}", "abort=[]",
)  # fmt: skip


def local_kinds(only: str | None) -> list[tuple[str, str]]:
    """Every kind of what is ours, the families in turn."""
    kinds = sorted(key for key in CATALOGUE if key[0] not in EXTERNAL)
    return [key for key in kinds if only is None or key[0] == only]


def listening(pids: list[int]) -> set[int]:
    """TCP ports that these processes listen on."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ports = {
        f"socket:[{row.split()[9]}]": int(row.split()[1].rpartition(":")[2], 16)
        for row in rows
        if row.split()[3] == "0A"
    }
    found = set()
    for pid in pids:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        found |= {ports[link] for link in links if link in ports}
    return found


def begun(run: Path, state: str) -> bool:
    """Has the audit log a line of an injection?"""
    try:
        return f'"{state}"' in (run / "audit.log").read_text()
    except OSError:
        return False


def one(family: str, kind: str, into_s: float, home: Path) -> dict[str, Any]:
    """A drill with one fault, its controller killed `into_s` after the fault began."""
    out = Path(tempfile.mkdtemp(prefix="killed-", dir=home))
    before = segments(), scraps(home)
    fault = (
        example(family, kind)[2:].replace("fault+1s", "fault+0s").replace("4s}", f"{LASTS_S}s}}")
    )
    changes = [*SHORT, f"faults=[{fault}]"]
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    environment["XDG_CACHE_HOME"] = str(home / "cache")
    said = home / "said"
    with said.open("w") as log:
        drill = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", "run", "scenarios/smoke.yaml", "--out", str(out),
             *(word for change in changes for word in ("--set", change))],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    row: dict[str, Any] = {"fault": f"{family}: {kind}", "into_s": round(into_s, 2)}
    try:
        run = _wait(drill, out)
        if run is None:
            return {**row, "clean": False, "trouble": said.read_text()[-400:], "commit": commit()}
        time.sleep(into_s)
        running = descendants(drill.pid)
        ports = listening(running)
        pending = [fault for fault, _ in Journal(run / "journal.jsonl").pending()]
        drill.kill()
        drill.wait()
        killed_s = time.monotonic()
        while left := _left(out, run, ports, before, home):
            if time.monotonic() - killed_s > WITHIN_S:
                break
            time.sleep(0.05)
        clean_s = round(time.monotonic() - killed_s, 2)
    finally:
        if drill.poll() is None:
            drill.kill()
            drill.wait()
        shutil.rmtree(out, ignore_errors=True)
    return {
        **row, "processes": len(running), "ports": len(ports), "pending": pending,
        "clean": not left, "clean_s": clean_s, "left": left, "commit": commit(),
    }  # fmt: skip


def _wait(drill: "subprocess.Popen[bytes]", out: Path) -> Path | None:
    """The run directory once the fault is being injected; None: the drill came to nothing."""
    give_up_s = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up_s and drill.poll() is None:
        run = next(iter(out.glob("2*")), None)
        if run is not None and begun(run, "inject"):
            return run
        time.sleep(0.02)
    return None


def _left(
    out: Path, run: Path, ports: set[int], before: tuple[int, set[str]], home: Path
) -> dict[str, Any]:
    """What is still there, by sort."""
    found: dict[str, Any] = {
        "processes": sorted(processes(out).values()),
        "ports": sorted(port for port in ports if accepts(port)),
        "segments": segments() - before[0],
        "in_run": [name for name in ("work", ".token") if (run / name).exists()],
        "journal": [fault for fault, _ in Journal(run / "journal.jsonl").pending()],
    }
    try:
        new = scraps(home) - before[1] - {str(home / "said")}
    except FileNotFoundError:
        new = {"(being removed)"}
    found["files"] = sorted(path for path in new if not path.startswith(str(out)))
    return {sort: what for sort, what in found.items() if what}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--only", metavar="FAMILY")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    place = RESULTS / "fault-kills.json"
    kills = kept(place, "kills", resume=arguments.resume)
    dice = random.Random(arguments.seed)  # noqa: S311  reproducible moments
    kinds = local_kinds(arguments.only)
    planned = [
        (*kinds[number % len(kinds)], dice.uniform(0, LASTS_S)) for number in range(arguments.kills)
    ]
    with tempfile.TemporaryDirectory(prefix="fault-kills-") as folder:
        home = Path(folder)
        (home / "cache").mkdir()
        for family, kind, into_s in planned[len(kills) :]:
            kills.append(one(family, kind, into_s, home))
            print(json.dumps(kills[-1]), flush=True)
            keep(place, "kills", kills, _summary(kills))
    print(json.dumps(_summary(kills)))
    return 0 if all(kill["clean"] for kill in kills) else 1


def _summary(kills: list[dict[str, Any]]) -> dict[str, Any]:
    times = [kill["clean_s"] for kill in kills if kill["clean"]]
    return {
        "kills": len(kills),
        "clean": len(times),
        "slowest_s": max(times, default=None),
        "kinds": len({kill["fault"] for kill in kills}),
    }


if __name__ == "__main__":
    sys.exit(main())
