"""The controller's side of the guardian."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import HarnessError
from harness.guardian.undo import undo_all
from harness.processes import become_subreaper, kill_tree, send, start_ticks

ANSWER_WITHIN_S = 5.0
CLOSE_WITHIN_S = 10.0
DIED = "the guardian died; what it had started was stopped and every fault healed by us"


@dataclass(frozen=True, slots=True)
class Proc:
    """A process the guardian has started; pid and start time together name it for good."""

    name: str
    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that has ended; status is negative for a signal."""

    name: str
    pid: int
    status: int


class Guardian:
    """Use as a context manager: leaving it stops everything."""

    def __init__(self, run: Path, channel: socket.socket, process: "subprocess.Popen[bytes]"):
        self._run = run
        self._channel = channel
        self._process = process
        self._buffer = b""
        self._asked = 0
        self._exits: list[Exit] = []
        self._procs: dict[str, Proc] = {}
        self._closed = False

    @classmethod
    def start(cls, run: Path) -> "Guardian":
        """Start a guardian for a run directory. Raises HarnessError.

        We become a subreaper as well: if the guardian is killed, its tree comes to us.
        """
        become_subreaper()
        ours, theirs = socket.socketpair()
        try:
            with (run / "guardian.log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "harness.guardian.process",
                     str(theirs.fileno()), str(run)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=[theirs.fileno()], start_new_session=True, env=_environment({}),
                )  # fmt: skip
        except OSError as exc:
            raise HarnessError(f"the guardian could not be started: {exc}") from exc
        finally:
            theirs.close()
        return cls(run, ours, process)

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdout: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Proc:
        """Start a process; stdout and stderr are appended to `stdout`. Raises HarnessError."""
        answer = self._ask(
            {
                "op": "spawn",
                "name": name,
                "argv": list(argv),
                "env": _environment(env or {}),
                "cwd": str(cwd) if cwd else None,
                "stdout": str(stdout),
            }
        )
        proc = Proc(name, answer["pid"], answer["start_ticks"])
        self._procs[name] = proc
        return proc

    def stop(self, name: str, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after `grace_s`. Unknown or ended names are no error."""
        proc = self._procs.pop(name, None)
        if proc is not None and start_ticks(proc.pid) == proc.start_ticks:
            self._ask({"op": "stop", "pid": proc.pid, "grace_s": grace_s}, grace_s)

    def owns_path(self, path: Path) -> None:
        """A folder outside the run directory, to be removed at the end."""
        self._ask({"op": "own", "path": str(path)})

    def exits(self) -> list[Exit]:
        """Processes that have ended since the last call, stopped ones included."""
        self._read(0.0)
        found, self._exits = self._exits, []
        return [gone for gone in found if gone.name in self._procs]

    @property
    def alive(self) -> bool:
        """Is the guardian itself still there?"""
        return not self._closed and self._process.poll() is None

    def check(self) -> None:
        """Raises HarnessError when the guardian has died, after doing its work in its place."""
        if not self._closed and self._process.poll() is not None:
            self._clean_up_alone()
            raise HarnessError(DIED)

    def close(self) -> None:
        """Stop everything and wait until the guardian has gone. Raises HarnessError if it can't."""
        if self._closed:
            return
        if self._process.poll() is not None:
            self._clean_up_alone()
            raise HarnessError(DIED)
        self._closed = True
        self._channel.close()
        try:
            self._process.wait(CLOSE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self._clean_up_alone()
            raise HarnessError("the guardian did not end in time; we ended it") from None

    def _clean_up_alone(self) -> None:
        """What the guardian would have done. Its tree has been ours since it died."""
        self._closed = True
        self._channel.close()
        try:
            undo_all(self._run, "controller")
        finally:
            for proc in self._procs.values():
                if start_ticks(proc.pid) == proc.start_ticks:
                    send(proc.pid, signal.SIGKILL)
            kill_tree(os.getpid())
            undo_all(self._run, "controller", gone=True)  # a fault goes with what it hit
            shutil.rmtree(self._run / "work", ignore_errors=True)
            (self._run / ".token").unlink(missing_ok=True)

    def _ask(self, request: dict[str, Any], patience_s: float = 0.0) -> dict[str, Any]:
        self.check()
        self._asked += 1
        message = json.dumps({"id": self._asked, **request}).encode() + b"\n"
        give_up_s = time.monotonic() + ANSWER_WITHIN_S + patience_s
        try:
            self._channel.sendall(message)
            while time.monotonic() < give_up_s:
                for answer in self._read(0.1):
                    if answer.get("id") == self._asked:
                        if "error" in answer:
                            raise HarnessError(str(answer["error"]))
                        return answer
                self.check()
        except OSError as exc:
            self.check()
            raise HarnessError(f"the guardian can't be reached: {exc}") from exc
        raise HarnessError(f"the guardian did not answer within {ANSWER_WITHIN_S:.0f} s")

    def _read(self, wait_s: float) -> list[dict[str, Any]]:
        """Answers that have come; exits are noted on the way."""
        answers: list[dict[str, Any]] = []
        while not self._closed and select.select([self._channel], [], [], wait_s)[0]:
            wait_s = 0.0
            data = self._channel.recv(65536)
            if not data:
                break
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("event") == "exit":
                self._exits.append(Exit(message["name"], message["pid"], message["status"]))
            else:
                answers.append(message)
        return answers

    def __enter__(self) -> "Guardian":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if exc is None:
            self.close()
            return
        try:
            self.close()
        except HarnessError as also:
            exc.add_note(str(also))


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours, with the checkout on the path and no byte code written beside it."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        **more,
    }
