"""Connections: those to upstreams, kept from one request to the next.

In: requests of the HTTP client. Out: responses. For each request httpcore2's own pool asks the system of every idle
connection whether its socket is still open; this one asks of the connection that it takes, and of the oldest when one
comes back. HTTP itself is httpcore2's business.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache

import httpcore2
import httpx2

from .joined_writes import JoinedWrites

KEPT_SECONDS = 15.0
MOST = 1000
"""Most connections in use at a time; further requests wait."""
MOST_KEPT = 100
"""Most idle connections to one upstream."""
FAULTS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that upstreams are checked by; reading them takes longer than all else of a start."""
    return httpx2.create_ssl_context(trust_env=False)


class Connections(httpx2.AsyncBaseTransport):
    """A transport of `httpx2.AsyncClient` over kept connections, the latest of which is used first."""

    def __init__(self, ssl_context: ssl.SSLContext, *, most: int = MOST, kept_seconds: float = KEPT_SECONDS) -> None:
        self._ssl_context = ssl_context
        self._kept_seconds = kept_seconds
        self._free = asyncio.Semaphore(most)
        self._network = JoinedWrites()
        self._idle: defaultdict[str, deque[httpcore2.AsyncHTTPConnection]] = defaultdict(deque)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` over a connection that is kept, or over a new one.

        Raises:
            httpx2.TransportError: it failed, or no connection was free in time.
        """
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        sent = httpcore2.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        await self._turn(request.extensions.get("timeout", {}).get("pool"))
        try:
            with _faults_named():
                connection = await self._taken(url.origin)
                response = await connection.handle_async_request(sent)
        except BaseException:
            self._free.release()
            raise
        assert isinstance(response.stream, AsyncIterable)
        body = _Body(self, str(url.origin), connection, response.stream)
        return httpx2.Response(response.status, headers=response.headers, stream=body, extensions=response.extensions)

    async def give_back(self, origin: str, connection: httpcore2.AsyncHTTPConnection) -> None:
        """Keep `connection` where it can be used again; it has closed itself where it cannot."""
        self._free.release()
        idle = self._idle[origin]
        if connection.is_idle():
            idle.append(connection)
        while idle and (len(idle) > MOST_KEPT or idle[0].has_expired()):
            await idle.popleft().aclose()

    async def aclose(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()

    async def _turn(self, seconds: float | None) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise httpx2.PoolTimeout("no connection was free") from None

    async def _taken(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        idle = self._idle[str(origin)]
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore2.AsyncHTTPConnection(
            origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._kept_seconds,
            network_backend=self._network,
        )


class _Body(httpx2.AsyncByteStream):
    """The body of a response, whose end gives the connection back."""

    def __init__(
        self,
        connections: Connections,
        origin: str,
        connection: httpcore2.AsyncHTTPConnection,
        stream: AsyncIterable[bytes],
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._connection = connection
        self._stream = stream
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _faults_named():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if hasattr(self._stream, "aclose"):
                await self._stream.aclose()
        finally:
            await self._connections.give_back(self._origin, self._connection)


@contextmanager
def _faults_named() -> Iterator[None]:
    """httpcore2's faults as the client's, which have the same names."""
    try:
        yield
    except FAULTS as fault:
        named: type[httpx2.TransportError] = getattr(httpx2, type(fault).__name__)
        raise named(str(fault)) from fault
