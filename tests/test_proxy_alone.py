"""`drawproof proxy` as a command: what it takes, how it ends."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drills import ROOT, command
from tests.proxied import NAME, PATIENCE_S, pair, proxy_process, received, upstream


def alone(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", "proxy", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_with_connections_and_toxics(number: signal.Signals) -> None:
    with proxy_process() as proxy, upstream() as server:
        pass
    with proxy_process() as proxy, upstream() as server:
        with pair(proxy.made(server.address), server) as (client, _):
            proxy.toxic("stall")
            client.sendall(b"x")
            proxy.process.send_signal(number)
            assert proxy.process.wait(PATIENCE_S) == 0
            assert client.recv(1) == b""
        proxy.process.poll = lambda: None  # type: ignore[method-assign]  # it may have ended


def test_it_begins_with_a_config(tmp_path: Path) -> None:
    config = tmp_path / "proxies.json"
    with upstream() as server:
        there = f"127.0.0.1:{server.address[1]}"
        config.write_text(json.dumps([{"name": NAME, "upstream": there}]))
        with proxy_process("--no-token", "--config", str(config)) as proxy:
            listen = proxy.ask("GET", f"/proxies/{NAME}")[1]["listen"]
            with pair(("127.0.0.1", int(listen.rpartition(":")[2])), server) as (client, served):
                client.sendall(b"x")
                assert received(served, 1) == b"x"


def test_with_a_token_only_who_knows_it_may_ask(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    with proxy_process("--token-file", str(file)) as proxy:
        assert proxy.ask("GET", "/proxies")[0] == 403
        assert proxy.ask("GET", "/proxies", headers={"X-Token": "secre"})[0] == 403
        assert proxy.ask("GET", "/proxies", headers={"X-Token": "secret"})[0] == 200


def test_somebody_must_say_who_may_ask() -> None:
    ran = command("proxy", "--listen", "127.0.0.1:0")
    assert ran.exit == 2
    assert "--no-token" in ran.err
    assert "--token-file" in ran.err


def test_a_taken_port_is_one_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = alone("--no-token", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "--listen" in ran.stderr
    assert "in use" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--listen", "0.0.0.0:0"),
        ("--config", "broken.json"),
        ("--token-file", "empty"),
        *(
            pytest.param(*words, marks=pytest.mark.slow)
            for words in (
                ("--listen", "192.0.2.1:0"),
                ("--listen", "somewhere:0"),
                ("--listen", "127.0.0.1"),
                ("--listen", "127.0.0.1:x"),
                ("--config", "missing.json"),
                ("--config", "object.json"),
                ("--config", "taken.json"),
                ("--token-file", "missing"),
            )
        ),
    ],
)
def test_what_can_not_be_used_is_one_line_and_exit_2(
    tmp_path: Path, option: str, value: str
) -> None:
    (tmp_path / "broken.json").write_text("[")
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "empty").write_text("\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = f"127.0.0.1:{taken.getsockname()[1]}"
        wanted = [{"name": "x", "listen": there, "upstream": there}]
        (tmp_path / "taken.json").write_text(json.dumps(wanted))
        given = value if option == "--listen" else str(tmp_path / value)
        rest = [] if option == "--token-file" else ["--no-token"]
        rest += [] if option == "--listen" else ["--listen", "127.0.0.1:0"]
        ran = alone(option, given, *rest)
    assert ran.returncode == 2, ran.stderr
    assert option in ran.stderr
    assert ran.stderr.count("\n") == 1
