"""Our own looks at a server from outside, on fresh connections, bounded."""

import http.client
import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Literal

SSL_REQUEST = struct.pack("!II", 8, 80877103)
PROTOCOL_3 = 196608
NO_HEADERS: Mapping[str, str] = {}
TOO_MANY_CONNECTIONS = b"C53300\0"


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


def answer(
    address: tuple[str, int],
    method: str,
    path: str,
    body: object,
    within_s: float,
    headers: Mapping[str, str] = NO_HEADERS,
) -> tuple[int, Mapping[str, Any]] | None:
    """(status, JSON object) of a question of our own; None: no such answer in time."""
    connection = http.client.HTTPConnection(*address, timeout=within_s)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        found = json.loads(response.read(1_000_000))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return response.status, found if isinstance(found, dict) else {}


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


Door = Literal["open", "full", "other", "silent", "refused"]


def database_door(address: tuple[str, int], timeout_s: float) -> Door:
    """Is there room for one more session of a PostgreSQL server? It says so before it asks for a
    password, so none is needed."""
    wanted = b"user\0probe\0database\0postgres\0\0"
    hello = struct.pack("!II", 8 + len(wanted), PROTOCOL_3) + wanted
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.sendall(hello)
            said = connection.recv(4096)
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    if said[:1] == b"R":
        return "open"
    if said[:1] == b"E":
        return "full" if TOO_MANY_CONNECTIONS in said else "other"
    return "refused"
