"""Kills the controller at random moments and looks at what is left five seconds later.

    python benchmarks/kill_moments.py --moments 20 [--user nobody] [--resume]

At every second moment a service is stopped (SIGSTOP) just before, which a clean-up must end as
well. `running` says how many processes there were to be ended. Results go to
docs/results/kill-moments-USER.json.
"""

import argparse
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.environment import commit, machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
LAST_MOMENT_S = 46.0


def processes(out: Path) -> dict[int, str]:
    """Every process that names the run's folder, or works in it: pid to command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_in = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(out) in command or works_in.startswith(str(out)):
            found[int(entry.name)] = command[:120]
    return found


def ports(run: Path) -> list[int]:
    """Ports of the run that still accept a connection."""
    try:
        topology = json.loads((run / "topology.json").read_text())
    except OSError:
        return []
    known = [service["port"] for service in topology["services"]]
    known.append(int(topology["control"].rpartition(":")[2]))
    return [port for port in known if accepts(port)]


def accepts(port: int) -> bool:
    """Does anybody listen there?"""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def segments() -> int:
    """System V shared memory segments."""
    return len(Path("/proc/sysvipc/shm").read_text().splitlines()) - 1


def scraps(home: Path) -> set[str]:
    """Files outside the run directory: temporary ones, shared memory, and what is at home apart
    from the cache."""
    found = {str(path) for path in Path("/dev/shm").iterdir()}  # noqa: S108  looked at alone
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
    before = segments(), scraps(home)
    environment = dict(os.environ)
    environment |= {name: str(home) for name in ("HOME", "TMPDIR")}
    environment |= {"XDG_CACHE_HOME": str(home / "cache")}
    identity: dict[str, Any] = {}
    if user is not None:
        entry = pwd.getpwnam(user)
        for path in (home, out):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        os.chown(home / "cache", entry.pw_uid, entry.pw_gid)
        identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    drill = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "run", "scenarios/smoke.yaml", "--out", str(out)],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **identity,
    )  # fmt: skip
    time.sleep(moment_s)
    run = next(iter(out.glob("2*")), out)
    running = len(processes(out))
    halted = stop_a_service(run) if stopped else None
    drill.kill()
    drill.wait()
    time.sleep(5)
    left = {
        "processes": sorted(processes(out).values()),
        "ports": ports(run),
        "segments": segments() - before[0],
        "files": sorted(path for path in scraps(home) - before[1] if not path.startswith(str(out))),
        "in_run": [name for name in ("work", ".token") if (run / name).exists()],
    }
    shutil.rmtree(out)
    return {"moment_s": round(moment_s, 2), "running": running, "stopped": halted,
            "commit": commit(), "clean": not any(left.values()), "left": left}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--user")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    label = arguments.user or "root"
    place = RESULTS / f"kill-moments-{label}.json"
    kept = json.loads(place.read_text())["kills"] if arguments.resume and place.exists() else []
    stream = random.Random(f"{arguments.seed}/{label}")  # noqa: S311  reproducible moments
    moments = [stream.uniform(0.05, LAST_MOMENT_S) for _ in range(arguments.moments)]
    with tempfile.TemporaryDirectory(prefix="kill-moments-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        (home / "cache").mkdir()
        for number, moment_s in list(enumerate(moments))[len(kept) :]:
            kept.append(one(moment_s, arguments.user, number % 2 == 1, home))
            print(json.dumps(kept[-1]), flush=True)
            RESULTS.mkdir(parents=True, exist_ok=True)
            figures = {"user": label, "machine": machine(), "kills": kept}
            place.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{label}: {sum(kill['clean'] for kill in kept)} of {len(kept)} clean")
    return 0 if all(kill["clean"] for kill in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
