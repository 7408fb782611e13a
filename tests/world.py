"""A server and a proxy before it, in processes of their own: what faults may touch."""

import sys
import threading
import time
from pathlib import Path

from harness.errors import TargetError
from harness.faults.fault import DatabaseServer
from harness.faults.network_fault import NetworkFault, Toxic
from harness.faults.network_looks import Late
from harness.guardian.client import Guardian
from harness.proxy.client import start_proxy

EDGE = "gateway->bank.own"
SERVER = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer.request_queue_size = 128
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
"""


def late(latency_s: float, jitter_s: float, name: str) -> NetworkFault:
    """Answers over EDGE come late."""
    attributes = (("latency", round(latency_s * 1000)), ("jitter", round(jitter_s * 1000)))
    toxic = Toxic("latency", "downstream", attributes)
    return NetworkFault(EDGE, toxic, Late(latency_s - jitter_s), name)


class World:
    """A server process, a proxy before it, and what faults may touch of both."""

    def __init__(self, guardian: Guardian, run: Path) -> None:
        self.guardian, self.run = guardian, run
        (run / ".token").write_text("token")
        self.proxy = start_proxy(guardian, run, "token", 1)
        self.listen = self.proxy.add(EDGE)
        self.port = 0
        self.start_server()

    def start_server(self) -> None:
        log = self.run / f"server-{time.monotonic_ns()}"
        argv = [sys.executable, "-c", SERVER]
        self.server = self.guardian.spawn("server", argv, stdout=log)
        give_up_s = time.monotonic() + 5
        wait = threading.Event()
        while not log.read_text().endswith("\n"):
            assert time.monotonic() < give_up_s
            wait.wait(0.01)
        self.port = int(log.read_text())
        self.proxy.set_upstream(EDGE, "127.0.0.1", self.port)

    def replica_pid(self, replica: str) -> tuple[int, int]:
        return self.server.pid, self.server.start_ticks

    def replica_address(self, replica: str) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def restart_replica(self, replica: str) -> None:
        self.start_server()

    def proxy_api(self) -> tuple[str, str]:
        return self.proxy.base_url, "token"

    def proxied_address(self, edge: str) -> tuple[str, int]:
        return self.listen

    def database(self, role: str) -> DatabaseServer:
        raise TargetError("this world has no databases")

    def copied(self) -> bool:
        return False

    def takes_writes(self) -> bool:
        return False

    def service_api(self, service: str) -> tuple[str, str]:
        return f"http://127.0.0.1:{self.port}", "token"

    def proxied_edges(self) -> tuple[str, ...]:
        return (EDGE,)

    def replicas(self, role: str) -> tuple[str, ...]:
        return (f"{role}-1",)

    def supervisor_api(self) -> tuple[str, str]:
        raise TargetError("this world has no supervisor")

    def records(self, service: str) -> Path:
        return self.run / f"calls.{service}.csv"

    def console_api(self) -> tuple[str, str]:
        raise TargetError("this world has no console")
