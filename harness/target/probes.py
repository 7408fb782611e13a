"""What the kernel and a gateway's metrics say of a running lender."""

import http.client
import json
import os
import time
from pathlib import Path

WRITE_S = 0.5
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def posts_in_progress(host: str, port: int) -> int | None:
    """From /metrics; 0 for a gateway that is gone, None for one that does not answer."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(100_000).decode()
    except ConnectionRefusedError:
        return 0
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    counts = dict(line.rsplit(" ", 1) for line in text.splitlines() if " " in line)
    return int(counts["posts_in_progress"]) if "posts_in_progress" in counts else None


def takes_writes(ledger: tuple[str, int]) -> bool:
    """Does a ledger replica acknowledge a write of ours within half a second?

    The write is a repayment by nobody: it is refused, and the refusal is stored under its key, a
    commit like any other, which moves no money.
    """
    body = {"repay_key": f"probe-{time.monotonic_ns()}", "borrower": -1, "amount_fen": 1}
    connection = http.client.HTTPConnection(*ledger, timeout=WRITE_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/repay", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status == 200 and json.loads(response.read())["state"] == "refused"
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()


def process_cpu_s(pid: int, ticks: int | None = None) -> float:
    """User and system seconds of one process; 0 for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0.0
    fields = stat[stat.rindex(b")") + 2 :].split()
    if ticks is not None and int(fields[19]) != ticks:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def tree_cpu_s(pid: int) -> list[float]:
    """The same for a process and its children; reaped children are counted by their parent."""
    seconds = [process_cpu_s(pid)]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return seconds
    for child in children:
        seconds += tree_cpu_s(int(child))
    return seconds
