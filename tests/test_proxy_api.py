"""The proxy's API: Toxiproxy's routes, statuses and shapes; nothing that is sent to it ends it."""

import pytest

from tests.proxied import (
    NAME,
    ProxyProcess,
    Upstream,
    pair,
    received,
)

ERRORS = {
    "unknown proxy": ("GET", "/proxies/none", None, 404, "proxy not found"),
    "unknown proxy changed": ("POST", "/proxies/none", {}, 404, "proxy not found"),
    "unknown proxy deleted": ("DELETE", "/proxies/none", None, 404, "proxy not found"),
    "its toxics": ("GET", "/proxies/none/toxics", None, 404, "proxy not found"),
    "unknown toxic": ("GET", "/proxies/edge/toxics/x", None, 404, "toxic not found"),
    "unknown toxic changed": ("PATCH", "/proxies/edge/toxics/x", {}, 404, "toxic not found"),
    "unknown toxic deleted": ("DELETE", "/proxies/edge/toxics/x", None, 404, "toxic not found"),
    "taken": (
        "POST", "/proxies", {"name": NAME, "upstream": "x:1"}, 409, "proxy already exists"),
    "no name": ("POST", "/proxies", {"upstream": "x:1"}, 400, "missing required field: name"),
    "no upstream": ("POST", "/proxies", {"name": "x"}, 400, "missing required field: upstream"),
    "no body": ("POST", "/proxies", b"", 400, "bad request body"),
    "no JSON": ("POST", "/proxies", b"{", 400, "bad request body"),
    "NaN": ("POST", "/proxies/edge/toxics", b'{"type": "latency", "toxicity": NaN}', 400,
            "bad request body"),
    "a list": ("POST", "/proxies", [], 400, "bad request body"),
    "a name that is none": ("POST", "/proxies", {"name": 1, "upstream": "x:1"}, 400, "name"),
    "no port": ("POST", "/proxies", {"name": "x", "upstream": "x"}, 400, "HOST:PORT"),
    "a port too high": ("POST", "/proxies", {"name": "x", "upstream": "x:65536"}, 400, "HOST"),
    "listens elsewhere": (
        "POST", "/proxies", {"name": "x", "upstream": "x:1", "listen": "192.0.2.1:1"}, 400,
        "loopback"),
    "a word for a switch": ("POST", "/proxies/edge", {"enabled": "no"}, 400, "enabled"),
    "no type": ("POST", "/proxies/edge/toxics", {}, 400, "invalid toxic type"),
    "no such type": ("POST", "/proxies/edge/toxics", {"type": "fog"}, 400, "invalid toxic type"),
    "no such stream": (
        "POST", "/proxies/edge/toxics", {"type": "latency", "stream": "sideways"}, 400,
        "stream was invalid, can be either upstream or downstream"),
    "attributes that are none": (
        "POST", "/proxies/edge/toxics", {"type": "latency", "attributes": [1]}, 400, "attributes"),
    "a fraction": (
        "POST", "/proxies/edge/toxics", {"type": "latency", "attributes": {"latency": 1.5}}, 400,
        "attributes.latency"),
    "less than nothing": (
        "POST", "/proxies/edge/toxics", {"type": "latency", "attributes": {"jitter": -1}}, 400,
        "attributes.jitter"),
    "more than all": (
        "POST", "/proxies/edge/toxics", {"type": "latency", "toxicity": 1.5}, 400, "toxicity"),
    "pieces of nothing": (
        "POST", "/proxies/edge/toxics", {"type": "slicer", "attributes": {"average_size": 0}}, 400,
        "average_size"),
    "pieces less than nothing": (
        "POST", "/proxies/edge/toxics",
        {"type": "slicer", "attributes": {"average_size": 9, "size_variation": 9}}, 400,
        "size_variation"),
    "no list": ("POST", "/populate", {}, 400, "list"),
    "one of a list": ("POST", "/populate", [{"name": "x"}], 400,
                      "missing required field: upstream at proxy 1"),
    "one twice": ("POST", "/populate", [{"name": "x", "upstream": "x:1"}] * 2, 400, "duplicate"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def made(listen: tuple[str, int]) -> tuple[str, int]:
    """There is a proxy called NAME."""
    return listen


@pytest.mark.parametrize("case", ERRORS.values(), ids=list(ERRORS))
def test_errors_have_toxiproxys_status_and_shape(
    proxy: ProxyProcess, server: Upstream, case: tuple[str, str, object, int, str]
) -> None:
    method, path, body, status, words = case
    before = proxy.ask("GET", "/proxies")[1]
    found, answer = proxy.ask(method, path, body)
    assert (found, answer["status"]) == (status, status)
    assert set(answer) == {"error", "status"}
    assert words in answer["error"]
    assert proxy.ask("GET", "/proxies")[1] == before


def test_a_proxy_from_its_making_to_its_end(proxy: ProxyProcess, server: Upstream) -> None:
    there = f"127.0.0.1:{server.address[1]}"
    asked = {"name": "a->b.c", "listen": "localhost:0", "upstream": there, "enabled": False}
    status, made = proxy.ask("POST", "/proxies", asked)
    assert status == 201
    assert made == {**asked, "listen": "127.0.0.1:0", "toxics": []}
    path = "/proxies/a-%3Eb.c"
    status, up = proxy.ask("PATCH", path, {"enabled": True})
    assert (status, up["enabled"], up["upstream"]) == (200, True, there)
    port = int(up["listen"].rpartition(":")[2])
    assert port > 0
    with pair(("127.0.0.1", port), server) as (client, served):
        client.sendall(b"x")
        assert received(served, 1) == b"x"
    assert proxy.ask("GET", path)[1] == up
    assert set(proxy.ask("GET", "/proxies")[1]) == {"a->b.c", NAME}
    assert proxy.ask("DELETE", path) == (204, b"")
    assert proxy.ask("GET", path)[0] == 404


ATTRIBUTES: dict[str, dict[str, int]] = {
    "latency": {"latency": 1, "jitter": 2},
    "bandwidth": {"rate": 3},
    "slow_close": {"delay": 4},
    "timeout": {"timeout": 5},
    "reset_peer": {"timeout": 6},
    "slicer": {"average_size": 70, "size_variation": 8, "delay": 9},
    "limit_data": {"bytes": 10},
    "noop": {},
    "stall": {"duration": 11},
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_a_toxic_from_its_making_to_its_end(
    proxy: ProxyProcess, server: Upstream, kind: str
) -> None:
    given_attributes = ATTRIBUTES[kind]
    unset = {"average_size": 1} if kind == "slicer" else {}
    status, made = proxy.ask(
        "POST", "/proxies/edge/toxics", {"type": kind, "attributes": unset or None, "noise": 1}
    )
    assert status == 200
    nothing = dict.fromkeys(given_attributes, 0) | unset
    assert made == {"name": f"{kind}_downstream", "type": kind, "stream": "downstream",
                    "toxicity": 1.0, "attributes": nothing}  # fmt: skip
    path = f"/proxies/edge/toxics/{kind}_downstream"
    changed = {"attributes": {**given_attributes, "fog": 1}, "toxicity": 0.25, "stream": "upstream"}
    status, found = proxy.ask("POST", path, changed)
    assert status == 200
    assert found == {**made, "attributes": given_attributes, "toxicity": 0.25}
    assert proxy.ask("PATCH", path, {})[1] == found
    assert proxy.ask("GET", path) == (200, found)
    assert proxy.ask("GET", "/proxies/edge/toxics") == (200, [found])
    assert proxy.ask("GET", "/proxies/edge")[1]["toxics"] == [found]
    assert proxy.ask("POST", "/proxies/edge/toxics", {"type": kind, **changed})[0] == 200
    assert proxy.ask("POST", "/proxies/edge/toxics", found)[0] == 409
    assert [one["stream"] for one in proxy.ask("GET", "/proxies/edge/toxics")[1]] == [
        "upstream", "downstream",
    ]  # fmt: skip
    assert proxy.ask("DELETE", path) == (204, b"")
    assert proxy.ask("DELETE", path)[0] == 404


def test_populate_makes_what_is_missing_and_replaces_what_differs(
    proxy: ProxyProcess, server: Upstream
) -> None:
    there = f"127.0.0.1:{server.address[1]}"
    first = [{"name": "p", "upstream": there}, {"name": "q", "upstream": there, "enabled": False}]
    status, answer = proxy.ask("POST", "/populate", first)
    assert status == 201
    made = {one["name"]: one for one in answer["proxies"]}
    assert [made["p"]["enabled"], made["q"]["enabled"]] == [True, False]
    assert proxy.ask("POST", "/proxies/p/toxics", {"type": "latency"})[0] == 200
    same = {"name": "p", "listen": made["p"]["listen"], "upstream": there}
    again = proxy.ask("POST", "/populate", [same])[1]["proxies"][0]
    assert len(again["toxics"]) == 1  # it was left alone
    other = proxy.ask("POST", "/populate", [{**same, "upstream": "127.0.0.1:1"}])[1]["proxies"][0]
    assert (other["listen"], other["toxics"]) == (made["p"]["listen"], [])


def test_reset_enables_all_and_leaves_no_toxic(proxy: ProxyProcess, server: Upstream) -> None:
    proxy.toxic("latency")
    proxy.toxic("limit_data", "upstream", bytes=3)
    assert proxy.ask("POST", f"/proxies/{NAME}", {"enabled": False})[0] == 200
    assert proxy.ask("POST", "/reset", b"anything") == (204, b"")
    found = proxy.ask("GET", f"/proxies/{NAME}")[1]
    assert (found["enabled"], found["toxics"]) == (True, [])


def test_a_port_that_is_taken_is_said(proxy: ProxyProcess, server: Upstream) -> None:
    taken = f"127.0.0.1:{server.address[1]}"
    asked = {"name": "x", "listen": taken, "upstream": taken}
    status, answer = proxy.ask("POST", "/proxies", asked)
    assert status == 500
    assert "in use" in answer["error"]
    assert proxy.ask("GET", "/proxies/x")[0] == 404


def test_all_interfaces_are_narrowed_to_loopback(proxy: ProxyProcess, server: Upstream) -> None:
    """Stock clients ask for them by default; no port of ours is open to the network."""
    for name, listen in (("one", "0.0.0.0:0"), ("two", "[::]:0"), ("three", ":0")):
        asked = {"name": name, "listen": listen, "upstream": "127.0.0.1:1"}
        assert proxy.ask("POST", "/proxies", asked)[1]["listen"].startswith("127.0.0.1:")


def test_version_metrics_and_routes_that_are_none(proxy: ProxyProcess, server: Upstream) -> None:
    listen = proxy.ask("GET", f"/proxies/{NAME}")[1]["listen"]
    with pair(("127.0.0.1", int(listen.rpartition(":")[2])), server) as (client, served):
        client.sendall(b"12345")
        assert received(served, 5) == b"12345"
    assert proxy.ask("GET", "/version")[1] == {"version": "2.12.0"}
    for method, path, status in (
        ("GET", "/", 404), ("GET", "/proxy", 404), ("POST", "/version", 405),
        ("PUT", "/proxies", 405), ("PUT", f"/proxies/{NAME}", 405), ("GET", "/reset", 405),
        ("PUT", f"/proxies/{NAME}/toxics", 405), ("GET", "/proxies/a/toxics/b/c", 404),
    ):  # fmt: skip
        assert proxy.ask(method, path)[0] == status, path
    text = proxy.ask("GET", "/metrics")[1].decode()
    assert f'toxiproxy_proxy_received_bytes_total{{direction="upstream",listener="{listen}"' in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8474"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.evil"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"},
    ],
)
def test_browsers_are_refused(
    proxy: ProxyProcess, server: Upstream, headers: dict[str, str]
) -> None:
    for method, path in (("GET", "/proxies"), ("POST", "/reset"), ("DELETE", f"/proxies/{NAME}")):
        assert proxy.ask(method, path, headers=headers)[0] == 403
    assert proxy.ask("GET", "/proxies", headers={"Host": "localhost:8474"})[0] == 200
    assert proxy.ask("GET", "/proxies", headers={"Host": "[::1]:8474"})[0] == 200
