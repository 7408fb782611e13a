"""The guardian itself: `python -m harness.guardian.process FD RUN`.

A process of its own session with a socket to the controller. It starts every process of the drill
and writes each down before it says so. When the socket ends, however it ends, it undoes what the
journal says is not undone, kills its whole tree, removes what lies outside the evidence, and goes.
Standard library only: it must be up at once, and work when everything else does not.
"""

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from harness.guardian.undo import undo_all
from harness.processes import become_subreaper, kill_tree, reap, send, start_ticks

LINE_BYTES_MAX = 1_000_000
KILL_WITHIN_S = 1.0


class GuardianProcess:
    """Serves one controller."""

    def __init__(self, channel: socket.socket, run: Path) -> None:
        self._channel = channel
        self._run = run
        self._names: dict[int, str] = {}
        self._paths: list[Path] = []

    def serve(self) -> None:
        """Until the controller says so, or is gone."""
        buffer = b""
        selector = selectors.DefaultSelector()
        selector.register(self._channel, selectors.EVENT_READ)
        while True:
            for pid, status in reap():
                name = self._names.pop(pid, None)
                if name is not None:
                    self._tell({"event": "exit", "name": name, "pid": pid, "status": status})
            if not selector.select(0.05):
                continue
            try:
                data = self._channel.recv(65536)
            except OSError:
                return
            if not data or len(buffer) > LINE_BYTES_MAX:
                return
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                request = json.loads(line)
                if request["op"] == "quit":
                    return
                self._tell({"id": request["id"], **self._do(request)})

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # the controller is gone; the next read says so

    def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["op"] == "spawn":
            return self._spawn(request)
        if request["op"] == "stop":
            return self._stop(request["pid"], float(request["grace_s"]))
        self._paths.append(Path(request["path"]))
        return {}

    def _spawn(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with open(request["stdout"], "ab") as out:
                child = subprocess.Popen(
                    request["argv"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    env=request["env"], cwd=request["cwd"], close_fds=True,
                )  # fmt: skip
        except OSError as exc:
            return {"error": f"{request['name']} could not be started: {exc}"}
        # Reaped by waitpid(-1) above; Popen must not wait for it as well.
        child.returncode = 0
        ticks = start_ticks(child.pid) or 0
        row = {"name": request["name"], "pid": child.pid, "start_ticks": ticks,
               "at_ns": time.monotonic_ns()}  # fmt: skip
        try:
            with (self._run / "processes.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as exc:
            send(child.pid, signal.SIGKILL)
            return {"error": f"{request['name']} could not be written down: {exc}"}
        self._names[child.pid] = request["name"]
        return {"pid": child.pid, "start_ticks": ticks}

    def _stop(self, pid: int, grace_s: float) -> dict[str, Any]:
        """TERM, then KILL for it and what it leaves; reaped in the loop."""
        give_up_s = time.monotonic() + grace_s
        send(pid, signal.SIGCONT)
        send(pid, signal.SIGTERM)
        while start_ticks(pid) is not None and time.monotonic() < give_up_s:
            time.sleep(0.01)
        if start_ticks(pid) is not None:
            kill_tree(pid)
            send(pid, signal.SIGKILL)
            while start_ticks(pid) is not None and time.monotonic() < give_up_s + KILL_WITHIN_S:
                time.sleep(0.01)
        return {}

    def clean_up(self) -> None:
        """Undo, kill, remove: in this order, and each although the one before failed.

        What could not be undone is tried again when all is killed: a fault goes with what it hit.
        """
        try:
            self._undo()
        finally:
            try:
                kill_tree(os.getpid())
                self._undo(gone=True)
            finally:
                for path in (*self._paths, self._run / "work"):
                    shutil.rmtree(path, ignore_errors=True)
                (self._run / ".token").unlink(missing_ok=True)

    def _undo(self, *, gone: bool = False) -> None:
        for line in undo_all(self._run, "guardian", gone=gone):
            print(line, file=sys.stderr, flush=True)


def _not_for_us(_number: int, _frame: FrameType | None) -> None:
    """Signals of the terminal end the controller, and the controller ends us."""


def main() -> int:
    """Exit 0 after everything is stopped and removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, not SIG_IGN: what is ignored stays ignored in every process we start.
        signal.signal(number, _not_for_us)
    become_subreaper()
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    guardian = GuardianProcess(channel, Path(sys.argv[2]))
    try:
        guardian.serve()
    finally:
        guardian.clean_up()
        channel.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
