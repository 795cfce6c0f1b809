"""Connections: those to upstreams, kept from one request to the next.

In: requests of the HTTP client. Out: responses. The connection that was used last is taken first, and the system is
asked of that one alone whether it is still open. HTTP itself is the business of `upstream_connection.py`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from functools import cache

import httpx2

from .upstream_connection import UpstreamConnection, open_connection

KEPT_SECONDS = 15.0
MOST = 1000
"""Most connections in use at a time; further requests wait."""
MOST_KEPT = 100
"""Most idle connections to one upstream."""
BODY = "rlm_server.body"
"""Key of a response's extensions: its `ReplyBody`, for readers who wait for bytes with a limit."""
Origin = tuple[str, str, int | None]


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that upstreams are checked by; reading them takes longer than all else of a start."""
    return httpx2.create_ssl_context(trust_env=False)


class Connections(httpx2.AsyncBaseTransport):
    """A transport of `httpx2.AsyncClient` over kept connections."""

    def __init__(self, certificates: ssl.SSLContext, *, most: int = MOST, kept_seconds: float = KEPT_SECONDS) -> None:
        self._certificates = certificates
        self._kept_seconds = kept_seconds
        self._free = asyncio.Semaphore(most)
        self._idle: defaultdict[Origin, deque[UpstreamConnection]] = defaultdict(deque)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` over a connection that is kept, or over a new one.

        Raises:
            httpx2.TransportError: it failed, or no connection was free in time.
        """
        origin = (request.url.scheme, request.url.host, request.url.port)
        limits = request.extensions.get("timeout", {})
        await self._turn(limits.get("pool"))
        connection: UpstreamConnection | None = None
        try:
            connection = self._kept(origin) or await open_connection(
                request.url, self._certificates, limits.get("connect")
            )
            await connection.send(request, limits.get("write"))
            head = await connection.head(limits.get("read"))
        except BaseException:
            self._free.release()
            if connection is not None:
                connection.close()
            raise
        body = ReplyBody(self, origin, connection, limits.get("read"))
        extensions = {"http_version": b"HTTP/" + head.http_version, "reason_phrase": bytes(head.reason), BODY: body}
        return httpx2.Response(head.status_code, headers=head.headers.raw_items(), stream=body, extensions=extensions)

    def give_back(self, origin: Origin, connection: UpstreamConnection) -> None:
        """Keep `connection` where it can be used again."""
        self._free.release()
        idle = self._idle[origin]
        if connection.end_request():
            idle.append(connection)
        while idle and (len(idle) > MOST_KEPT or idle[0].is_expired(self._kept_seconds)):
            idle.popleft().close()

    async def aclose(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        await asyncio.sleep(0)  # the loop closes them in its next turn

    async def _turn(self, seconds: float | None) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise httpx2.PoolTimeout("no connection was free") from None

    def _kept(self, origin: Origin) -> UpstreamConnection | None:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if not connection.is_expired(self._kept_seconds) and connection.is_open():
                return connection
            connection.close()
        return None


class ReplyBody(httpx2.AsyncByteStream):
    """The body of a response, whose end gives the connection back."""

    def __init__(
        self, connections: Connections, origin: Origin, connection: UpstreamConnection, seconds: float | None
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._connection = connection
        self._seconds = seconds
        self._heard_at = time.monotonic()
        self._is_closed = False

    @property
    def is_whole(self) -> bool:
        """Whether its end has been read."""
        return self._connection.is_whole

    async def part(self, patience: float) -> bytes | None:
        """The next bytes; none at the end, `None` where `patience` seconds pass without any.

        Raises:
            httpx2.TransportError: the body is cut off, or stops for longer than the request's time-out.
        """
        part = await self._connection.part(patience)
        now = time.monotonic()
        if part is not None:
            self._heard_at = now
        elif self._seconds is not None and now >= self._heard_at + self._seconds:
            raise httpx2.ReadTimeout("the response stopped")
        return part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self._connection.part(self._seconds):
            yield part
        if part is None:
            raise httpx2.ReadTimeout("the response stopped")

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back, or close it where more of the body comes."""
        if not self._is_closed:
            self._is_closed = True
            self._connections.give_back(self._origin, self._connection)
