"""One at a time in a folder of repeats: locks that last as long as those who hold them.

`repeats.lock` is of who writes the book, `lock` of a drill's process together with its starter: who
goes on after a `kill -9` of the starter would run a second drill beside the first.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, SafetyError
from harness.heal import living, unhealed

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
WORDS_MAX = 600


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Nobody else adds to the folder's book meanwhile. Raises HarnessError."""
    with _locked(folder / "repeats.lock") as held:
        if held is None:
            raise HarnessError(f"another drawproof is at work in {folder}: wait for it, or stop it")
        yield


@contextmanager
def only_drill(folder: Path, name: str) -> Iterator[int]:
    """No other drill is under way in the folder; the descriptor is for the drill's process to
    inherit. name: the drill's folder in it.

    Raises HarnessError while one is, SafetyError where one that is dead has left something.
    """
    with _locked(folder / "lock") as held:
        if held is None:
            drill = folder / (folder / "lock").read_text(errors="replace")[:WORDS_MAX]
            raise HarnessError(
                f"a drill is still under way in {drill}, begun by another or by one who is gone: "
                f"wait for it, or end it with `drawproof stop {drill / 'latest'}`. What it gives "
                "does not count"
            )
        _nothing_left(folder)
        try:
            os.ftruncate(held, 0)
            os.pwrite(held, name.encode(), 0)
        except OSError as exc:
            raise HarnessError(f"{folder / 'lock'} can't be written: {exc}") from exc
        yield held


def _nothing_left(folder: Path) -> None:
    """Who was killed together with his guardian has left processes, which hold no lock of ours, and
    a work folder: they would be measured with what comes next."""
    for work in sorted(folder.glob("*/*/work")):
        run = work.parent
        if not run.is_symlink() and (living(run) or unhealed(run)):
            raise SafetyError(f"a dead drill has left something behind: `drawproof heal {run}`")


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """The descriptor of a file that we have locked; None: somebody else has. Raises
    HarnessError."""
    try:
        held = os.open(path, FLAGS, 0o600)
    except OSError as exc:
        raise HarnessError(f"{path} can't be opened: {exc}") from exc
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise HarnessError(f"{path} is no file: take it away")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        except OSError as exc:
            raise HarnessError(f"{path} can't be locked: {exc}") from exc
        yield held
    finally:
        os.close(held)
