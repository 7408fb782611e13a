"""A gateway that answers by the amount asked for: `fake_gateway.py [HOST [kind]]` prints its port.

amount % 10   0-5 granted or repaid  6 refused for good  7 reset  8 half a body  9 silence

With a kind given, that is the answer whatever the amount.
"""

import asyncio
import json
import struct
import sys

GRANTED = {"outcome": "granted", "draw_key": "k", "tier": "own", "paid_ns": 1}
REPAID = {"outcome": "repaid", "repay_key": "k", "available_fen": 1}
REFUSED = {"final": True, "certain": True, "cause": "risk", "hop": "risk", "reason": "delinquent"}
GONE = {"reason": "unknown-key", "certain": False}


def answer(status: int, body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    return head.encode() + b"\r\n\r\n" + data


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if "ontent-" in line
                 and line.lower().startswith("content-length")), 0,
            )  # fmt: skip
            body = json.loads(await reader.readexactly(length) or b"{}")
            kind = int(sys.argv[2]) if sys.argv[2:] else int(body.get("amount_fen", 0)) // 100 % 10
            if not await reply(writer, head, kind):
                return
    except (asyncio.IncompleteReadError, OSError):
        return
    finally:
        writer.close()


async def reply(writer: asyncio.StreamWriter, head: str, kind: int) -> bool:
    """False: the connection is of no more use."""
    if head.startswith("GET /v1/borrowers"):
        writer.write(answer(200, {"available_fen": 1}))
    elif head.startswith("GET"):
        writer.write(answer(404, GONE))
    elif kind <= 5:
        repaid = head.startswith("POST /v1/repayments")
        writer.write(answer(201, REPAID if repaid else GRANTED))
    elif kind == 6:
        writer.write(answer(403, REFUSED))
    elif kind == 7:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: close resets
        return False
    elif kind == 8:
        writer.write(answer(201, GRANTED)[:-4])
        await writer.drain()
        return False
    else:
        await asyncio.Event().wait()  # silence
    await writer.drain()
    return True


async def main() -> None:
    server = await asyncio.start_server(one, (sys.argv[1:] or ["127.0.0.1"])[0], 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
