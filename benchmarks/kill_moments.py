"""Kills the controller at random moments and looks at what is left five seconds later.

    python benchmarks/kill_moments.py --moments 20 [--user nobody] [--stopped] [--resume]

`--stopped` stops a service (SIGSTOP) just before, which a clean-up must end as well. Results go
to docs/results/kill_moments.json.
"""

import argparse
import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.environment import commit, machine

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "results" / "kill_moments.json"
WORDS = ("postgres", "locust", "drawproof", "mock_lender", "harness")
LAST_MOMENT_S = 46.0


def processes() -> dict[int, str]:
    """Every process that looks like ours: pid and start time to command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(word in command for word in WORDS) and "kill_moments" not in command:
            found[int(entry.name)] = command[:120]
    return found


def ports() -> set[str]:
    """Listening TCP sockets of the machine, as the kernel lists them."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {row.split()[1] for row in rows if row.split()[3] == "0A"}


def segments() -> int:
    """System V shared memory segments."""
    return len(Path("/proc/sysvipc/shm").read_text().splitlines()) - 1


def scraps(home: Path) -> set[str]:
    """Files outside the run directory that could be ours: temporary ones, and the cache's."""
    places = [Path(tempfile.gettempdir()), Path("/dev/shm")]  # noqa: S108  looked at, never written
    found = {str(path) for place in places for path in place.iterdir()}
    return found | {str(path) for path in home.rglob("*") if "drawproof" not in path.parts}


def stop_a_service(run: Path) -> str | None:
    """SIGSTOP one service of the run's lender, if it is up already."""
    topology = run / "topology.json"
    if not topology.exists():
        return None
    services = json.loads(topology.read_text())["services"]
    chosen = random.choice(services)  # noqa: S311  which service is not a secret
    try:
        os.kill(chosen["pid"], signal.SIGSTOP)
    except ProcessLookupError:
        return None
    return str(chosen["name"])


def one(moment_s: float, user: str | None, stopped: bool, home: Path) -> dict[str, Any]:
    """Start a drill, kill its controller at `moment_s`, look 5 s later."""
    out = Path(tempfile.mkdtemp(prefix="killed-", dir=home))
    before = processes(), ports(), segments(), scraps(home)
    environment = dict(os.environ)
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    identity: dict[str, Any] = {}
    if user is not None:
        entry = pwd.getpwnam(user)
        for path in (home, out):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    drill = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "run", "scenarios/smoke.yaml", "--out", str(out)],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **identity,
    )  # fmt: skip
    time.sleep(moment_s)
    halted = stop_a_service(next(iter(out.glob("2*")), out)) if stopped else None
    drill.kill()
    drill.wait()
    time.sleep(5)
    left = {
        "processes": sorted(set(processes().values()) - set(before[0].values())),
        "ports": len(ports() - before[1]),
        "segments": segments() - before[2],
        "files": sorted(path for path in scraps(home) - before[3] if not path.startswith(str(out))),
        "in_run": [name for name in ("work", ".token") if next(out.glob(f"2*/{name}"), None)],
    }
    shutil.rmtree(out)
    return {"moment_s": round(moment_s, 2), "user": user or "root", "stopped": halted,
            "commit": commit(), "clean": not any(left.values()), "left": left}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--user")
    parser.add_argument("--stopped", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    label = f"{arguments.user or 'root'}{'-stopped' if arguments.stopped else ''}"
    kept = json.loads(PLACE.read_text())["kills"] if arguments.resume and PLACE.exists() else []
    stream = random.Random(f"{arguments.seed}/{label}")  # noqa: S311  reproducible moments
    moments = [stream.uniform(0.05, LAST_MOMENT_S) for _ in range(arguments.moments)]
    done = {kill["moment_s"] for kill in kept if kill["label"] == label}
    with tempfile.TemporaryDirectory(prefix="kill-moments-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        for moment_s in moments:
            if round(moment_s, 2) in done:
                continue
            result = {"label": label, **one(moment_s, arguments.user, arguments.stopped, home)}
            kept.append(result)
            print(json.dumps(result), flush=True)
            PLACE.parent.mkdir(parents=True, exist_ok=True)
            PLACE.write_text(json.dumps({"machine": machine(), "kills": kept}, indent=1) + "\n")
    mine = [kill for kill in kept if kill["label"] == label]
    print(f"{label}: {sum(kill['clean'] for kill in mine)} of {len(mine)} clean")
    return 0 if all(kill["clean"] for kill in mine) else 1


if __name__ == "__main__":
    sys.exit(main())
