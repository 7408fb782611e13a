"""Our own looks at a server from outside, on fresh connections, bounded."""

import http.client
import socket
import struct
import time
from typing import Literal

SSL_REQUEST = struct.pack("!II", 8, 80877103)


def probe_s(address: tuple[str, int], timeout_s: float) -> float | None:
    """How long GET /healthz took on a fresh connection; None: not within `timeout_s`, or refused.

    Raises nothing: what does not answer is an observation.
    """
    began_s = time.monotonic()
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return time.monotonic() - began_s


def answers(address: tuple[str, int], timeout_s: float = 0.5) -> bool:
    """Does /healthz answer in time?"""
    return probe_s(address, timeout_s) is not None


def refuses(address: tuple[str, int], timeout_s: float = 0.5) -> bool:
    """Does nobody listen there?"""
    try:
        socket.create_connection(address, timeout=timeout_s).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


Pulse = Literal["answers", "silent", "refused"]


def database_pulse(address: tuple[str, int], timeout_s: float) -> Pulse:
    """Does a PostgreSQL server answer? It is asked whether it speaks TLS, which takes its
    postmaster and a new backend, and no password."""
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.sendall(SSL_REQUEST)
            return "answers" if connection.recv(1) else "refused"
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
