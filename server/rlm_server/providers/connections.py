"""Connections: those to upstreams, kept from one request to the next.

In: requests. Out: responses, whose bodies are read in parts. The connection that was used last is taken first, and the
system is asked of that one alone whether it is still open. HTTP itself is the business of `upstream_connection.py`; by
a proxy it is that of httpx2.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import httpx2

from .. import __version__
from .upstream_connection import RawHeaders, UpstreamConnection, open_connection

KEPT_SECONDS = 15.0
MOST = 1000
"""Most connections in use at a time; further requests wait."""
MOST_KEPT = 100
"""Most idle connections to one upstream."""
USER_AGENT = f"pyodide-rlm/{__version__}"
FIXED_HEADERS = {"Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
Origin = tuple[str, str, int | None]


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that upstreams are checked by; reading them takes longer than all else of a start."""
    return httpx2.create_ssl_context(trust_env=False)


class Body(Protocol):
    """The body of a response, without its compression."""

    @property
    def is_whole(self) -> bool:
        """Whether its end has been read."""
        ...

    def gather(self) -> None:
        """From now on the next bytes may come together with those after them."""
        ...

    async def part(self, patience: float) -> bytes | None:
        """The next bytes; none at the end, `None` where `patience` seconds pass without any.

        Raises:
            httpx2.HTTPError: the body is cut off, cannot be decompressed, or stops for longer than the time-out.
        """
        ...

    async def close(self) -> None:
        """Give the connection back, or close it where more of the body comes."""
        ...


@dataclass(frozen=True, slots=True)
class Response:
    """A response. The names of `headers` are lower case."""

    status: int
    headers: Mapping[str, str]
    body: Body


class Client(Protocol):
    """A way to upstreams."""

    async def send(self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes) -> Response:
        """Send a request, once.

        Raises:
            httpx2.HTTPError: there is no response.
        """
        ...

    async def aclose(self) -> None:
        """Close the idle connections."""
        ...


class Connections:
    """Kept connections, without a proxy."""

    def __init__(
        self,
        certificates: ssl.SSLContext,
        timeout: httpx2.Timeout,
        *,
        most: int = MOST,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        self._certificates = certificates
        self.timeout = timeout
        self._kept_seconds = kept_seconds
        self._free = asyncio.Semaphore(most)
        self._idle: defaultdict[Origin, deque[UpstreamConnection]] = defaultdict(deque)

    async def send(self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes) -> Response:
        """As `Client.send`, over a connection that is kept, or over a new one."""
        origin, timeout = (url.scheme, url.host, url.port), self.timeout
        raw = _raw(url, headers, content)
        await self._turn()
        connection: UpstreamConnection | None = None
        try:
            connection = self._kept(origin) or await open_connection(url, self._certificates, timeout.connect)
            await connection.send(method, url.raw_path, raw, content, timeout.write)
            head = await connection.head(timeout.read)
        except BaseException:
            self._free.release()
            if connection is not None:
                connection.close()
            raise
        body = ReplyBody(self, origin, connection, timeout.read)
        coding = head.headers.get("content-encoding", "identity").lower()
        if coding in ("identity", "gzip", "x-gzip"):
            return Response(head.status, head.headers, body if coding == "identity" else Gunzipped(body))
        decoded = httpx2.Response(head.status, headers=head.headers, stream=body)
        return Response(head.status, head.headers, Decoded(decoded))

    def give_back(self, origin: Origin, connection: UpstreamConnection) -> None:
        """Keep `connection` where it can be used again."""
        self._free.release()
        idle = self._idle[origin]
        if connection.end_request():
            idle.append(connection)
        while idle and (len(idle) > MOST_KEPT or idle[0].is_expired(self._kept_seconds)):
            idle.popleft().close()

    async def aclose(self) -> None:
        """As `Client.aclose`."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        await asyncio.sleep(0)  # the loop closes them in its next turn

    async def _turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self.timeout.pool):
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
    """A `Body` as it comes over a connection."""

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
        """As `Body.is_whole`."""
        return self._connection.is_whole

    def gather(self) -> None:
        """As `Body.gather`."""
        self._connection.gather()

    async def part(self, patience: float) -> bytes | None:
        """As `Body.part`."""
        part = await self._connection.part(patience)
        now = time.monotonic()
        if part is not None:
            self._heard_at = now
        elif self._seconds is not None and now >= self._heard_at + self._seconds:
            raise httpx2.ReadTimeout("the response stopped")
        return part

    async def close(self) -> None:
        """As `Body.close`."""
        if not self._is_closed:
            self._is_closed = True
            self._connections.give_back(self._origin, self._connection)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """For httpx2, which decompresses."""
        while part := await self._connection.part(self._seconds):
            yield part
        if part is None:
            raise httpx2.ReadTimeout("the response stopped")

    async def aclose(self) -> None:
        """For httpx2."""
        await self.close()


class Gunzipped:
    """A `Body` in gzip; a server that compresses each event by itself sends several members."""

    def __init__(self, body: ReplyBody) -> None:
        self._body = body
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._is_begun = False

    @property
    def is_whole(self) -> bool:
        """As `Body.is_whole`."""
        return self._body.is_whole

    def gather(self) -> None:
        """As `Body.gather`."""
        self._body.gather()

    async def part(self, patience: float) -> bytes | None:
        """As `Body.part`."""
        while part := await self._body.part(patience):
            try:
                if text := self._decoded(part):
                    return text
            except zlib.error as fault:
                raise httpx2.DecodingError(str(fault)) from fault
        if part == b"" and self._is_begun and not self._member.eof:
            raise httpx2.DecodingError("the compressed data has no end")
        return part

    async def close(self) -> None:
        """As `Body.close`."""
        await self._body.close()

    def _decoded(self, part: bytes) -> bytes:
        texts = []
        while part:
            if self._member.eof:
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            self._is_begun = True
            texts.append(self._member.decompress(part))
            part = self._member.unused_data
        return b"".join(texts)


class Decoded:
    """A `Body` that httpx2 decompresses, or brings. Its iterator cannot be left while it waits: each wait is a task."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._bytes = response.aiter_bytes()
        self._coming: asyncio.Future[bytes | None] | None = None

    @property
    def is_whole(self) -> bool:
        """As `Body.is_whole`."""
        return self._response.is_closed

    def gather(self) -> None:
        """As `Body.gather`: they come as httpx2 brings them."""

    async def part(self, patience: float) -> bytes | None:
        """As `Body.part`."""
        ends_at = time.monotonic() + patience
        while True:
            coming = self._coming = self._coming or asyncio.ensure_future(anext(self._bytes, None))
            await asyncio.wait((coming,), timeout=max(0.0, ends_at - time.monotonic()))
            if not coming.done():
                return None
            self._coming = None
            if (part := coming.result()) != b"":
                return part or b""

    async def close(self) -> None:
        """As `Body.close`."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait((self._coming,))
        await self._response.aclose()


class Proxied:
    """A `Client` whose requests go by a proxy."""

    def __init__(self, proxy: str, certificates: ssl.SSLContext, timeout: httpx2.Timeout) -> None:
        limits = httpx2.Limits(max_connections=MOST, max_keepalive_connections=MOST_KEPT)
        self._client = httpx2.AsyncClient(
            proxy=proxy, verify=certificates, timeout=timeout, limits=limits, follow_redirects=False, trust_env=False
        )

    async def send(self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes) -> Response:
        """As `Client.send`."""
        request = self._client.build_request(method, url, headers={**FIXED_HEADERS, **headers}, content=content)
        try:
            response = await self._client.send(request, stream=True)
        finally:
            request.headers.clear()  # the response holds its request, which held a key
        return Response(response.status_code, response.headers, Decoded(response))

    async def aclose(self) -> None:
        """As `Client.aclose`."""
        await self._client.aclose()


def _raw(url: httpx2.URL, headers: Mapping[str, str], content: bytes) -> RawHeaders:
    """The headers of a request, in characters of one byte."""
    length = {"Content-Length": str(len(content))} if content else {}
    named = {name.lower(): (name, text) for name, text in (*FIXED_HEADERS.items(), *headers.items(), *length.items())}
    return [(b"Host", url.netloc), *((name.encode("ascii"), text.encode("latin-1")) for name, text in named.values())]
