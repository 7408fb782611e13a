"""Master and two workers on three hosts, which are network namespaces: links that are cut.

master  10.77.N.1 ── bridge ── worker-1  10.77.N.2
                          └─── worker-2  10.77.N.3
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.evidence import tables
from harness.evidence.fingerprint import fingerprint
from harness.load.shares import of_share
from tests.loads import Load, even_intents

pytestmark = [pytest.mark.netns, pytest.mark.timeout(200)]


def ip(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)


class Hosts:
    """Three namespaces on one bridge, which is in a fourth, so that nothing of this host's own is
    touched."""

    def __init__(self) -> None:
        self._tag = f"dp{os.getpid() % 100_000}"
        self._mounts = Path("/proc/self/mounts").read_text()
        self.address = "10.77.7.1"
        self._names = [f"{self._tag}-{name}" for name in ("bridge", "master", "one", "two")]

    def make(self) -> str | None:
        """Why not, when it is not permitted."""
        for name in self._names:
            made = ip("netns", "add", name)
            if made.returncode != 0:
                return made.stderr.strip()
        bridge = self._names[0]
        steps = [["link", "add", "br0", "type", "bridge"], ["link", "set", "br0", "up"]]
        for number, name in enumerate(self._names[1:], start=1):
            port, address = f"p{number}", f"10.77.7.{number}/24"
            steps += [
                ["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name],
                ["link", "set", port, "master", "br0", "up"],
                ["-n", name, "address", "add", address, "dev", "eth0"],
                ["-n", name, "link", "set", "eth0", "up"],
                ["-n", name, "link", "set", "lo", "up"],
            ]
        for step in steps:
            argv = step if step[0] == "-n" else ["-n", bridge, *step]
            made = ip(*argv)
            if made.returncode != 0:
                return made.stderr.strip()
        return None

    def on(self, host: str) -> list[str]:
        """Prefix of a command that runs there."""
        return ["ip", "netns", "exec", f"{self._tag}-{host}"]

    def cut(self, number: int) -> None:
        """Nothing passes the link of the n-th namespace any more; nobody is told."""
        made = ip("-n", self._names[0], "link", "set", f"p{number}", "nomaster")
        assert made.returncode == 0, made.stderr

    def mend(self, number: int) -> None:
        made = ip("-n", self._names[0], "link", "set", f"p{number}", "master", "br0")
        assert made.returncode == 0, made.stderr

    def remove(self) -> None:
        for name in self._names:
            ip("netns", "delete", name)
        # The first namespace that was ever named makes a mount point of their folder.
        place = os.path.realpath("/var/run/netns")
        if f" {place} " not in self._mounts:
            subprocess.run(["umount", place], capture_output=True, check=False)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    try:
        refused = made.make()
        if refused is not None:
            pytest.skip(f"network namespaces are not permitted here: {refused}")
        yield made
    finally:
        made.remove()


def started(load: Load, hosts: Hosts) -> None:
    """The gateway is beside the master: what is cut, is cut for draws and evidence alike."""
    url = load.start_gateway(hosts.on("master"))
    load.start_master(hosts.on("master"))
    load.start_worker(1, hosts.on("one"))
    load.start_worker(2, hosts.on("two"))
    load.fire(url)


@pytest.mark.slow
def test_a_link_cut_for_three_seconds_delays_the_evidence_and_loses_none(
    tmp_path: Path, hosts: Hosts
) -> None:
    with Load(tmp_path / "run", even_intents(1200, 100), 12.0, host=hosts.address) as load:
        started(load, hosts)
        load.at(4.0)
        hosts.cut(3)
        load.at(7.0)
        hosts.mend(3)
        manifest = load.end(within_s=40)
        assert manifest.complete, manifest.problems()
        for share in manifest.shares:
            mine = of_share(load.intents, share.share, 2)
            assert (share.offered, share.sha256) == (len(mine), fingerprint(mine))
        attempts = load.attempts()
        pressed = [a for a in attempts if a.kind == "press"]
        assert sorted(a.intent for a in pressed) == list(range(1200))
        assert not tables.read_rows(load.run, "attempts")[2]
        cut_off = [
            a for a in pressed
            if a.worker == "worker-2" and 4.2 < (a.scheduled_ns - load.t0_ns) / 1e9 < 6.5
        ]  # fmt: skip
        assert len(cut_off) > 80
        assert not any(a.outcome == "granted" for a in cut_off), "the link was not cut"
        assert all(a.outcome == "granted" for a in pressed if a.worker == "worker-1")


@pytest.mark.slow
def test_a_link_cut_for_a_minute_ends_the_run_by_itself_and_says_what_is_missing(
    tmp_path: Path, hosts: Hosts
) -> None:
    with Load(tmp_path / "run", even_intents(12_000, 100), 120.0, host=hosts.address) as load:
        started(load, hosts)
        load.at(4.0)
        began_s = time.monotonic()
        hosts.cut(3)
        manifest = load.end(within_s=50)
        assert 29 < time.monotonic() - began_s < 45
        assert not manifest.complete
        other, lost = manifest.shares
        assert other.missing == ""
        assert "was not heard for 30 s" in lost.missing
        assert lost.missing_s[0] in (3, 4, 5)
        assert lost.missing_s[1] == 119
        assert tables.read_rows(load.run, "attempts")[2], "the lost share's stream must read as cut"
        # The worker that nobody can stop any more has stopped itself, and goes.
        load.at(64.0)
        hosts.mend(3)
        assert load.made["worker-2"].wait(timeout=60) == 1
