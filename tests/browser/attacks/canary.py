"""Canary: listeners on loopback that nothing may ever reach.

In: nothing. Out: perches, each a port that listens for TCP (HTTP and WebSocket handshakes come this way) and UDP, and
remembers every connection and datagram. A perch answers as a generous web server would, so that no attack fails for
want of a reply; a browser also holds WebSockets back for seconds once it has seen many of them refused.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

MOST_BYTES = 64 * 1024
REPLY = (
    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n"
    b"Cross-Origin-Resource-Policy: cross-origin\r\nContent-Type: text/javascript\r\nContent-Length: 2\r\n"
    b"Connection: close\r\n\r\n1;"
)
UPGRADE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ACCEPTED = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Perch:
    """One port, and all that came to it."""

    def __init__(self) -> None:
        self.port = 0
        self.hits: list[bytes] = []
        self._changed = threading.Condition()

    def hit(self, data: bytes) -> None:
        with self._changed:
            self.hits.append(data)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether anything came, now or within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.hits), seconds)

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hit(b"a connection")
        try:
            asked = await reader.read(MOST_BYTES)
            self.hit(asked)
            writer.write(_upgrade(asked) or REPLY)
            await writer.drain()
            while _upgrade(asked) and (said := await reader.read(MOST_BYTES)):
                self.hit(said)
        except ConnectionError:
            pass  # it came, and that is all that counts
        finally:
            writer.close()


def _upgrade(asked: bytes) -> bytes:
    """The answer that opens a WebSocket; nothing when `asked` is no such wish."""
    key = re.search(rb"(?i)\r\nsec-websocket-key: *([^\r]+)", asked)
    if key is None:
        return b""
    accept = base64.b64encode(hashlib.sha1(key[1] + ACCEPTED).digest()).decode()
    protocol = re.search(rb"(?i)\r\nsec-websocket-protocol: *([^\r,]+)", asked)
    chosen = f"Sec-WebSocket-Protocol: {protocol[1].decode()}\r\n" if protocol else ""
    return f"{UPGRADE}{chosen}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()


class Datagrams(asyncio.DatagramProtocol):
    """Counts the datagrams that come to a perch."""

    def __init__(self, perch: Perch) -> None:
        self._perch = perch

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._perch.hit(b"a datagram " + data)


class Canary:
    """All perches, served by one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def perch(self) -> Perch:
        """A new port of its own."""
        return self._call(self._open(Perch()))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _open(self, perch: Perch) -> Perch:
        server = await asyncio.start_server(perch.welcome, "127.0.0.1", 0)
        perch.port = server.sockets[0].getsockname()[1]
        await self._loop.create_datagram_endpoint(lambda: Datagrams(perch), local_addr=("127.0.0.1", perch.port))
        return perch

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)


@contextmanager
def canaries() -> Iterator[Canary]:
    """A canary, until the block ends."""
    canary = Canary()
    try:
        yield canary
    finally:
        canary.close()
