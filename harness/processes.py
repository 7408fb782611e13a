"""Processes as /proc shows them: who descends from whom, and how to end a whole tree.

PostgreSQL's backends call setsid, so a process group is not enough; the guardian is a subreaper,
so whatever loses its parent becomes its child and stays in its tree.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphans among our descendants become our children. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_parent(number: int) -> None:
    """Be sent this signal when the thread that has started us ends. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None when there is no such process or only its zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] == b"Z" else int(fields[19])


def stopped(pid: int) -> bool:
    """Does the kernel run nothing of it because of a SIGSTOP?"""
    fields = _stat(pid)
    return fields is not None and fields[0] in (b"T", b"t")


def _stat(pid: int) -> list[bytes] | None:
    """Fields of /proc/PID/stat from the state (the third) on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :].split()


def descendants(root: int) -> list[int]:
    """Every living descendant of `root`, parents before children, zombies left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields is not None:
                if fields[0] == b"Z":
                    continue
                children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    waiting = [root]
    while waiting:
        mine = children.get(waiting.pop(), [])
        found += mine
        waiting += mine
    return found


def working_in(folder: Path, programs: Sequence[str]) -> list[int]:
    """Living processes that run one of these programs, a Python package or an executable of that
    name, on a file or folder within `folder`; whose parent is dead too, or anybody."""
    within = os.path.realpath(folder) + os.sep
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            at = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        given = [os.fsdecode(word) for word in words if word]
        named = {os.path.basename(given[0])} if given else set()
        named |= {given[n + 1].partition(".")[0] for n, one in enumerate(given[:-1]) if one == "-m"}
        files = (os.path.realpath(os.path.join(at, one)) + os.sep for one in given[1:])
        if named & set(programs) and any(one.startswith(within) for one in files):
            found.append(int(entry))
    return found


def kill_tree(root: int, spare: Callable[[int], bool] = lambda _: False) -> int:
    """SIGKILL every descendant of `root` but the spared; how many there were.

    Stopped processes die of SIGKILL too. A tree that forks while we look is looked at again.
    """
    ended: set[int] = set()
    give_up_s = time.monotonic() + 4.0
    while time.monotonic() < give_up_s:
        living = [pid for pid in descendants(root) if not spare(pid)]
        reap()
        if not living:
            break
        for pid in living:
            send(pid, signal.SIGKILL)
        ended.update(living)
        time.sleep(0.01)
    return len(ended)


def await_ends(those: Iterable[tuple[str, int, int]], within_s: float) -> None:
    """Until none of these (name, pid, start_ticks) lives any longer, or the time is over: a signal
    has been sent before its process dies of it."""
    give_up_s = time.monotonic() + within_s
    for _, pid, ticks in those:
        while start_ticks(pid) == ticks and time.monotonic() < give_up_s:
            time.sleep(0.005)


def signal_tree(root: int, number: int) -> int:
    """Send a signal to a process and all its descendants; how many it reached.

    The root first: stopped or killed first, it can't fork what we would not see.
    """
    reached = send(root, number)
    return sum([reached, *(send(pid, number) for pid in descendants(root))])


def send(pid: int, number: int) -> bool:
    """Signal a process; False when it is gone already, or not ours to signal."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def reap() -> list[tuple[int, int]]:
    """(pid, status) of the children that have ended; status is negative for a signal."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))
