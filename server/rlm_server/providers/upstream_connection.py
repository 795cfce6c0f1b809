"""Upstream connection: HTTP/1.1 with one upstream, one request at a time, over asyncio's own transport.

In: a request. Out: the head of its response, then its body in parts, as `upstream_response.py` reads them. Head and
body of a request are one write to the network as far as they fit into `PART_BYTES`. No reader needs a task of its own,
and a response that nobody reads is held back at the upstream. Which connection a request takes is the business of
`connections.py`.
"""

from __future__ import annotations

import asyncio
import math
import re
import select
import socket
import ssl
import time
from typing import Any, TypeAlias

import httpx2

from .upstream_response import Head, Received, ResponseReader

PART_BYTES = 64 << 10
"""Bytes of a request's body that are written together; the first ones with its head."""
HELD_BYTES = 256 << 10
"""Bytes of a response that may wait for their reader before the upstream is held back."""
GATHER_SECONDS = 0.05
"""Longest time that bytes of a response wait for the next ones, where nobody watches it; its end waits for none."""
GATHER_BYTES = 64 << 10
"""Bytes that wait for no more."""
SECOND_ADDRESS_SECONDS = 0.25
"""Time after which the next address of a name is tried beside the first one."""
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
HEADER = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\r\n"
)


class UpstreamConnection(asyncio.Protocol):
    """One connection; see `open_connection`."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._response = ResponseReader()
        self._ahead: Received | None = None
        self._idle_since = 0.0
        self._is_busy = False
        self._is_ended = False
        self._is_full = False
        self._held = 0
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._waits_until = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._gathers = False
        self._gathering: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------------------------------- from the network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self._is_busy:
            self.close()  # nobody asked
            return
        self._response.receive(data)
        self._held += len(data)
        if self._held > HELD_BYTES:
            self._transport.pause_reading()
        if not self._gathers or self._response.has_end or self._held > GATHER_BYTES:
            self._wake()
        elif self._gathering is None:
            self._gathering = self._loop.call_later(GATHER_SECONDS, self._wake)

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fault = exc
        if self._timer is not None:
            self._timer.cancel()
        self._end()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    # ------------------------------------------------------------------------------------------------ for the pool

    def is_expired(self, kept_seconds: float) -> bool:
        """Whether an idle connection is over, or was idle for too long."""
        return self._is_ended or self._transport.is_closing() or time.monotonic() >= self._idle_since + kept_seconds

    def is_open(self) -> bool:
        """Whether the system has nothing for an idle connection: its end may have come before this process read it."""
        return not _is_readable(self._transport.get_extra_info("socket"))

    def end_request(self) -> bool:
        """End the request. A connection that cannot be used again is closed.

        Returns:
            Whether it can.
        """
        self._is_busy = self._gathers = False
        self._stop_gathering()
        if not self._response.is_done() or self._is_ended:
            self.close()
            return False
        self._response.begin()
        self._ahead = None
        self._idle_since = time.monotonic()
        return True

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    # ----------------------------------------------------------------------------------------------- for a request

    @property
    def is_whole(self) -> bool:
        """Whether the end of the response has been read."""
        return self._response.is_whole

    def gather(self) -> None:
        """From now on wake the reader for many bytes of the response, or its end, not for every few."""
        self._gathers = True

    async def send(
        self, method: str, target: bytes, headers: RawHeaders, content: bytes, seconds: float | None
    ) -> None:
        """Send a request; the upstream must take each `PART_BYTES` of it within `seconds`.

        An upstream that closes the connection before it has the whole request may have answered all the same.

        Raises:
            httpx2.LocalProtocolError: the request is not HTTP.
            httpx2.WriteTimeout: the upstream does not take it.
        """
        self._is_busy = True
        await self._write(_request_head(method, target, headers) + content[:PART_BYTES], seconds)
        for at in range(PART_BYTES, len(content), PART_BYTES):
            await self._write(content[at : at + PART_BYTES], seconds)

    async def head(self, seconds: float | None) -> Head:
        """The head of the response.

        Raises:
            httpx2.TransportError: it does not come within `seconds`, or is not HTTP.
        """
        event = await self._event(seconds)
        if event is None:
            raise httpx2.ReadTimeout("no response came in time")
        assert isinstance(event, Head), "a response begins with its head"
        return event

    async def part(self, seconds: float | None) -> bytes | None:
        """The next bytes of the body, as many as are there; none at its end, `None` where `seconds` pass without any.

        Raises:
            httpx2.TransportError: the body is cut off, or is not HTTP.
        """
        event: Received | None = await self._event(seconds)
        if event is None:
            return None
        parts: list[bytes] = []
        while event and isinstance(event, bytes):
            parts.append(event)
            event = self._next()
        self._ahead = event
        return b"".join(parts)

    # ------------------------------------------------------------------------------------------------------ inside

    async def _event(self, seconds: float | None) -> Head | bytes | None:
        """The next event of the response; `None` where `seconds` pass without a byte."""
        while True:
            event, self._ahead = self._next() if self._ahead is None else self._ahead, None
            if isinstance(event, httpx2.TransportError):
                raise event
            if event is not None:
                return event
            if self._is_ended:
                raise httpx2.ReadError(str(self._fault))
            if not await self._changed(seconds) and not self._stop_gathering():
                return None

    def _next(self) -> Received | None:
        """The next event that is there, or the fault in its place."""
        event = self._response.next()
        if event is None:
            if self._held > HELD_BYTES:
                self._transport.resume_reading()
            self._held = 0
        return event

    async def _write(self, data: bytes, seconds: float | None) -> None:
        if self._is_ended:
            return
        self._transport.write(data)
        while self._is_full and not self._is_ended:
            if not await self._changed(seconds):
                raise httpx2.WriteTimeout("the upstream did not take the request in time")

    async def _changed(self, seconds: float | None) -> bool:
        """Wait until something comes, or the network takes more; whether it did within `seconds`."""
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter = waiter
        self._waits_until = math.inf if seconds is None else self._loop.time() + seconds
        self._watch_time()
        try:
            return await waiter
        finally:
            self._waiter = None

    def _watch_time(self) -> None:
        """See that a timer looks at the waiter in time; one that is left by an earlier wait will do."""
        if self._timer is not None and self._timer.when() > self._waits_until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and self._waits_until < math.inf:
            self._timer = self._loop.call_at(self._waits_until, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._waits_until:
            _settle(self._waiter, False)
        else:
            self._watch_time()

    def _wake(self) -> None:
        self._stop_gathering()
        if self._waiter is not None:
            _settle(self._waiter, True)

    def _stop_gathering(self) -> bool:
        """Let bytes wait no longer; whether some did."""
        gathering, self._gathering = self._gathering, None
        if gathering is None:
            return False
        gathering.cancel()
        return True

    def _end(self) -> None:
        """The connection is over; after a fault its body is not whole, even where only its end would tell."""
        if not self._is_ended:
            self._is_ended = True
            if self._fault is None:
                self._response.receive(b"")
        self._wake()


async def open_connection(url: httpx2.URL, certificates: ssl.SSLContext, seconds: float | None) -> UpstreamConnection:
    """A connection to the origin of `url`.

    Raises:
        httpx2.ConnectError, httpx2.ConnectTimeout: there is none within `seconds`.
        httpx2.UnsupportedProtocol: the scheme is another one than http and https.
    """
    ports = {"http": 80, "https": 443}
    if url.scheme not in ports:
        raise httpx2.UnsupportedProtocol(f"a base URL begins with http:// or https://, not {url.scheme}://")
    is_secure, host = url.scheme == "https", url.raw_host.decode("ascii")
    if is_secure:
        certificates.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    # uvloop, which uvicorn takes where it is installed, tries one address after another
    delay: dict[str, Any] = {"happy_eyeballs_delay": SECOND_ADDRESS_SECONDS}
    try:
        async with asyncio.timeout(seconds):
            made = await loop.create_connection(
                UpstreamConnection,
                host,
                url.port or ports[url.scheme],
                ssl=certificates if is_secure else None,
                server_hostname=host if is_secure else None,
                **(delay if isinstance(loop, asyncio.BaseEventLoop) else {}),
            )
    except TimeoutError as fault:
        raise httpx2.ConnectTimeout("the connection was not made in time") from fault
    except (OSError, UnicodeError) as fault:
        raise httpx2.ConnectError(str(fault)) from fault
    return made[1]


def _request_head(method: str, target: bytes, headers: RawHeaders) -> bytes:
    lines = [b"%b: %b\r\n" % header for header in headers]
    for (name, _), line in zip(headers, lines, strict=True):
        if HEADER.fullmatch(line) is None:
            shown = name.decode("latin-1")
            raise httpx2.LocalProtocolError(
                f"the value of the header {shown!r} holds a character that HTTP does not allow"
            )
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), target, b"".join(lines))


def _settle(waiter: asyncio.Future[bool], value: bool) -> None:
    if not waiter.done():
        waiter.set_result(value)


def _is_readable(sock: socket.socket) -> bool:
    """Whether there is something to read, or the end."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(0))
