"""Questions of our own through an edge and beside it, on bare sockets: what came, when, in which
pieces, and how the connection ended. Bounded, and nothing raised: what happens is an observation.

GET /healthz asks a service for nothing; many of them one behind the other make its answers long.
"""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from harness.proxy.struck import PROBES_FROM

ASK = b"GET /healthz HTTP/1.1\r\nHost: probe\r\n\r\n"
ASK_AND_CLOSE = b"GET /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
AT_ONCE = 25
BYTES_MAX = 1 << 20
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)

# How the connection stood when we looked at it last. failed: it could not be looked at.
End = Literal["open", "closed", "reset", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Question:
    """`requests` at once, and no more than `patience_s` of waiting. close: the server is asked to
    close after its answer, and that is waited for too."""

    patience_s: float
    requests: int = 1
    close: bool = False

    @property
    def data(self) -> bytes:
        """What is sent."""
        return ASK_AND_CLOSE if self.close else ASK * self.requests


@dataclass(frozen=True, slots=True)
class Seen:
    """pieces: bytes of each read, in order. answers: whole ones. answered_s: from the question to
    the last byte that came, or to the end of the wait if none did; took_s: to the end of it all."""

    at_ns: int
    end: End
    pieces: tuple[int, ...]
    answers: int
    answered_s: float
    took_s: float

    @property
    def data_bytes(self) -> int:
        return sum(self.pieces)


def ask(address: tuple[str, int], question: Question) -> Seen:
    """On a fresh connection."""
    at_ns = time.monotonic_ns()
    began_s = time.monotonic()
    pieces: list[int] = []
    data = bytearray()
    last_s = None
    end: End = "open"
    try:
        mine = (PROBES_FROM, 0)
        with socket.create_connection(address, question.patience_s, mine) as connection:
            connection.sendall(question.data)
            while end == "open" and not _enough(question, data):
                left_s = began_s + question.patience_s - time.monotonic()
                if left_s <= 0:
                    break
                connection.settimeout(left_s)
                piece = connection.recv(65536)
                if not piece:
                    end = "closed"
                else:
                    last_s = time.monotonic()
                    pieces.append(len(piece))
                    data += piece
    except TimeoutError:
        end = "open"
    except ConnectionRefusedError:
        end = "refused"
    except (ConnectionResetError, BrokenPipeError):
        end = "reset"
    except OSError:
        end = "failed"
    over_s = time.monotonic()
    answered_s = (over_s if last_s is None else last_s) - began_s
    return Seen(at_ns, end, tuple(pieces), answers_in(data), answered_s, over_s - began_s)


def _enough(question: Question, data: bytearray) -> bool:
    if len(data) > BYTES_MAX:
        return True
    return not question.close and answers_in(data) >= question.requests


def answers_in(data: bytes | bytearray) -> int:
    """How many whole HTTP answers stand at the start of `data`."""
    found, at = 0, 0
    while (head_end := data.find(b"\r\n\r\n", at)) >= 0:
        length = _LENGTH.search(data, at, head_end + 2)
        at = head_end + 4 + (int(length[1]) if length else 0)
        if at > len(data):
            break
        found += 1
    return found


def ask_often(address: tuple[str, int], question: Question, times: int) -> list[Seen]:
    """So many fresh connections, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda _: ask(address, question), range(times)))
