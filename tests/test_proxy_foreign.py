"""A Toxiproxy that is there already: driven without the run's token, and left as it was found.

A real one was not to be had; `drawproof proxy --no-token` stands in for it, as a program of its own
that no drill started.
"""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, ScenarioError
from harness.guardian.journal import Journal
from harness.guardian.undo import perform, undo_all
from harness.proxy import client as proxy_client
from harness.proxy.client import ToxiproxyClient
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE, drill, short
from tests.proxied import ProxyProcess, proxy_process


@pytest.fixture
def foreign() -> Iterator[ProxyProcess]:
    with proxy_process() as made:
        yield made


def url_of(foreign: ProxyProcess) -> str:
    return f"http://{foreign.host}:{foreign.port}"


def test_what_was_made_there_is_undone_from_the_journal(
    foreign: ProxyProcess, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    client = ToxiproxyClient(url_of(foreign), journal)
    client.add("a->b")
    client.set_upstream("a->b", "127.0.0.1", 9)
    journal.plan("slow", client.undo("DELETE", "a->b", "slow"))
    client.add_toxic("a->b", {"name": "slow", "type": "latency", "attributes": {"latency": 1}})
    assert len(foreign.ask("GET", "/proxies")[1]["a->b"]["toxics"]) == 1
    assert undo_all(tmp_path, "test") == ["slow: undone", "proxy a->b: undone"]
    assert foreign.ask("GET", "/proxies")[1] == {}
    assert journal.pending() == []


def test_somebody_elses_proxy_of_that_name_is_not_touched(
    foreign: ProxyProcess, tmp_path: Path
) -> None:
    assert foreign.ask("POST", "/proxies", {"name": "a->b", "upstream": "x:1"})[0] == 201
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(HarnessError, match="already exists"):
        ToxiproxyClient(url_of(foreign), journal).add("a->b")
    assert journal.pending() == []
    undo_all(tmp_path, "test")
    assert set(foreign.ask("GET", "/proxies")[1]) == {"a->b"}


def test_what_was_made_there_and_not_answered_is_undone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes the proxy, and the answer is lost."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(proxy_client, "ANSWER_WITHIN_S", 0.05)
        journal = Journal(tmp_path / "journal.jsonl")
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(HarnessError, match="did not answer"):
            ToxiproxyClient(url, journal).add("a->b")
    ((fault, undo),) = journal.pending()
    assert (fault, undo["method"]) == ("proxy a->b", "DELETE")
    assert undo_all(tmp_path, "test") == ["proxy a->b: undone"]  # it is gone by now


def test_it_is_never_told_the_token(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    class Listens(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append({key.lower(): value for key, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps({"listen": "127.0.0.1:1"}).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_POST

        def log_message(self, *_: Any) -> None:
            return None

    (tmp_path / ".token").write_text("secret")
    with http.server.HTTPServer(("127.0.0.1", 0), Listens) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = ToxiproxyClient(
            f"http://127.0.0.1:{server.server_port}", Journal(tmp_path / "journal.jsonl")
        )
        client.add("a->b")
        assert perform(client.undo("DELETE", "a->b"), tmp_path) is None
        server.shutdown()
    assert len(seen) == 2
    assert not any("x-token" in headers for headers in seen)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(f"{SMOKE.read_text()}\n{text}\n")
    return path


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8474", "https://127.0.0.1:8474", "http://127.0.0.1", "8474"]
)
def test_only_a_toxiproxy_of_this_machine_may_be_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(ScenarioError, match=r"proxy\.toxiproxy"):
        load_scenario(written(tmp_path, f'proxy: {{toxiproxy: "{url}"}}'), [], None)


def test_what_toxiproxy_has_not_is_a_problem_of_the_scenario(tmp_path: Path) -> None:
    path = written(tmp_path, 'proxy: {toxiproxy: "http://127.0.0.1:8474"}')
    assert load_scenario(path, [], None).scenario.toxiproxy == "http://127.0.0.1:8474"
    text = path.read_text()
    start, end = text.index("faults:"), text.index("expect:")
    stall = 'faults:\n  - {network: stall, edge: "gateway->bank.own", at: fault+1s, for: 2s}\n'
    path.write_text(text[:start] + stall + text[end:])
    with pytest.raises(ScenarioError, match="which Toxiproxy can't"):
        load_scenario(path, [], None)


@pytest.mark.drill
@pytest.mark.slow
def test_a_drill_by_a_toxiproxy_that_is_there(foreign: ProxyProcess, tmp_path: Path) -> None:
    path = written(tmp_path, f'proxy: {{toxiproxy: "{url_of(foreign)}"}}')
    ran = drill(tmp_path / "runs", str(path), *short())
    faults = {one["name"]: one for one in ran.verdict["faults"]}
    slow = next(one for name, one in faults.items() if name.startswith("network: latency"))
    assert slow["observed"]
    assert slow["heal_observed"]
    assert slow["exposed_calls"] > 0
    assert foreign.ask("GET", "/proxies")[1] == {}
