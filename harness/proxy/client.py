"""Talks to the proxy's API. It says nothing that Toxiproxy itself would not understand."""

import http.client
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from harness.errors import HarnessError
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal

NAME = "proxy"
ANSWER_WITHIN_S = 3.0
UP_WITHIN_S = 10.0
# Toxiproxy makes no proxy without an upstream. Nothing listens on port 1.
NOWHERE = "127.0.0.1:1"


class Refused(HarnessError):
    """The proxy has answered, and done nothing of what it was asked for."""


class ProxyClient:
    """Raises HarnessError for whatever the API refuses. token: the run's; empty for a Toxiproxy of
    somebody else's, who is not told it."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.token = token

    def add(self, name: str) -> tuple[str, int]:
        """A proxy that leads nowhere yet; where it listens."""
        asked = {"name": name, "listen": "127.0.0.1:0", "upstream": NOWHERE}
        host, _, port = self._ask("POST", "/proxies", asked)["listen"].rpartition(":")
        return host, int(port)

    def set_upstream(self, name: str, host: str, port: int) -> None:
        """From now on connections lead there."""
        self._ask("POST", _path(name), {"upstream": f"{host}:{port}"})

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Does it take connections, or refuse them?"""
        self._ask("POST", _path(name), {"enabled": enabled})

    def add_toxic(self, name: str, toxic: Mapping[str, object]) -> None:
        """A toxic in Toxiproxy's JSON."""
        self._ask("POST", f"{_path(name)}/toxics", toxic)

    def remove_toxic(self, name: str, toxic: str) -> None:
        """One that is gone already is no error."""
        self._ask("DELETE", _path(name, toxic), None, gone_is_fine=True)

    def url(self, name: str, toxic: str | None = None) -> str:
        """Where a proxy, or a toxic of it, is changed or deleted."""
        return self.base_url + _path(name, toxic)

    def undo(
        self, method: str, name: str, toxic: str | None = None, body: object = None
    ) -> Mapping[str, Any]:
        """For the journal: a request to `url`."""
        row = {"kind": "http", "method": method, "url": self.url(name, toxic)}
        return {**row, "body": body, "token": bool(self.token)}

    def _ask(
        self, method: str, path: str, body: object, *, gone_is_fine: bool = False
    ) -> dict[str, Any]:
        parts = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S
        )
        try:
            data = b"" if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            if self.token:
                headers["X-Token"] = self.token
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            answer = response.read(1_000_000)
        except (OSError, http.client.HTTPException) as exc:
            raise HarnessError(f"the proxy did not answer {method} {path}: {exc}") from exc
        finally:
            connection.close()
        if response.status >= 300 and not (gone_is_fine and response.status == 404):
            raise Refused(f"the proxy refused {method} {path}: {answer[:200]!r}")
        found: dict[str, Any] = json.loads(answer) if answer else {}
        return found


class ToxiproxyClient(ProxyClient):
    """A Toxiproxy that is there already. It has no lease, and does not end with the drill: what is
    made there stands in the journal, which the guardian follows whatever becomes of us."""

    def __init__(self, base_url: str, journal: Journal) -> None:
        super().__init__(base_url, "")
        self._journal = journal

    def add(self, name: str) -> tuple[str, int]:
        """Raises HarnessError, also for a name that somebody else uses there. What was asked for
        and not answered may have been made, and stays in the journal."""
        self._journal.plan(f"proxy {name}", self.undo("DELETE", name))
        try:
            return super().add(name)
        except Refused:
            self._journal.done(f"proxy {name}")  # not ours to delete
            raise


def _path(name: str, toxic: str | None = None) -> str:
    path = f"/proxies/{quote(name, safe='')}"
    return path if toxic is None else f"{path}/toxics/{quote(toxic, safe='')}"


def start_proxy(guardian: Guardian, run: Path, token: str, seed: int) -> ProxyClient:
    """Start the proxy process and wait until its API answers. Raises HarnessError."""
    ready = run / "work" / "proxy.json"
    ready.parent.mkdir(mode=0o700, exist_ok=True)
    guardian.spawn(
        NAME,
        [sys.executable, "-m", "harness.proxy.server", str(run), str(seed)],
        stdout=run / "proxy.log",
    )
    give_up_s = time.monotonic() + UP_WITHIN_S
    while not ready.exists():
        guardian.check()
        if time.monotonic() > give_up_s:
            raise HarnessError(f"the proxy was not up within {UP_WITHIN_S:.0f} s: {run}/proxy.log")
        time.sleep(0.01)
    return ProxyClient(json.loads(ready.read_text())["url"], token)
