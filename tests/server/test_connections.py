"""Connections to upstreams: kept, used again, and closed in time."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

import httpx2
import pytest

from rlm_server.providers.connections import Connections, ReplyBody
from rlm_server.providers.upstream_connection import HELD_BYTES, UpstreamConnection
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn

T = TypeVar("T")
Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TIMEOUT = httpx2.Timeout(10)


@dataclass(frozen=True)
class Got:
    """A response that was read to its end."""

    status: int
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


class Asking:
    """Requests over `Connections`, each read to its end."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def get(self, url: str) -> Got:
        return await self.send("GET", url)

    async def send(self, method: str, url: str, content: bytes = b"") -> Got:
        response = await self.connections.send(method, httpx2.URL(url), {}, content)
        body = bytearray()
        try:
            while part := await response.body.part(TIMEOUT.read or 0):
                body += part
            assert part == b""
        finally:
            await response.body.close()
        return Got(response.status, bytes(body))


Use = Callable[[Asking], Awaitable[object]]


def used(use: Use, *, timeout: httpx2.Timeout = TIMEOUT, **options: float) -> object:
    """The result of `use` with new `Connections`."""

    async def main() -> object:
        connections = Connections(ssl.create_default_context(), timeout, **options)  # type: ignore[arg-type]
        try:
            return await use(Asking(connections))
        finally:
            await connections.aclose()

    return asyncio.run(main())


def used_with(serve: Serve, use: Callable[[Asking, str], Awaitable[T]], *, timeout: httpx2.Timeout = TIMEOUT) -> T:
    """The result of `use` with the URL of a server that answers a connection by `serve`."""

    async def main(client: Asking) -> T:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            return await use(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat")

    return cast("T", used(main, timeout=timeout))


def test_a_connection_is_used_again_until_it_is_too_old(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))

    async def five_times(client: Asking) -> None:
        for _ in range(5):
            assert (await client.get(upstream.url)).json() == 1

    used(five_times)
    assert upstream.connections == 1
    used(five_times, kept_seconds=0)
    assert upstream.connections == 6


def test_as_many_connections_as_requests_at_once_and_the_latest_is_used_first(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))

    async def use(client: Asking) -> None:
        for _ in range(3):
            await asyncio.gather(*(client.get(upstream.url) for _ in range(8)))
        for _ in range(20):
            await client.get(upstream.url)

    used(use)
    assert upstream.connections <= 8


def test_a_connection_that_the_upstream_closed_is_not_used(upstream: FakeUpstream) -> None:
    upstream.script(Turn(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"))  # and closes, without a word

    async def use(client: Asking) -> None:
        for _ in range(3):
            assert (await client.get(upstream.url)).json() == 1
            await asyncio.sleep(0.1)

    used(use)
    assert upstream.connections == 3


def test_a_body_that_is_left_closes_its_connection(upstream: FakeUpstream) -> None:
    upstream.script(Turn(chunks=(b"part",), hang=True))

    async def use(client: Asking) -> bool:
        response = await client.connections.send("GET", httpx2.URL(upstream.url), {}, b"")
        assert await response.body.part(10) == b"part"
        assert await response.body.part(0.01) is None
        await response.body.close()
        return await asyncio.to_thread(upstream.abandoned.acquire, timeout=10)

    assert used(use)


def test_above_the_most_requests_wait_and_then_fail(upstream: FakeUpstream) -> None:
    upstream.script(Turn(silent=True), json_turn(1))

    async def use(client: Asking) -> None:
        first = asyncio.ensure_future(client.get(upstream.url))
        while not upstream.seen:
            await asyncio.sleep(0.01)
        with pytest.raises(httpx2.PoolTimeout):
            await client.get(upstream.url)
        first.cancel()
        await asyncio.wait([first])
        assert (await client.get(upstream.url)).json() == 1

    used(use, most=1, timeout=httpx2.Timeout(10, pool=0.1))


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        (Turn(raw=b"no HTTP\r\n\r\n"), httpx2.RemoteProtocolError),
        (Turn(raw=b""), httpx2.RemoteProtocolError),
        (Turn(chunks=(b"part",), cut=True), httpx2.RemoteProtocolError),
        (Turn(silent=True), httpx2.ReadTimeout),
    ],
)
def test_faults_are_the_clients(upstream: FakeUpstream, turn: Turn, fault: type[Exception]) -> None:
    upstream.script(turn)

    async def use(client: Asking) -> None:
        with pytest.raises(fault):
            await client.get(upstream.url)

    used(use, timeout=httpx2.Timeout(10, read=0.3))


def test_a_header_that_is_none_is_refused_by_its_name_alone(upstream: FakeUpstream) -> None:
    async def use(client: Asking) -> None:
        with pytest.raises(httpx2.LocalProtocolError, match="'Authorization'") as refused:
            await client.connections.send(
                "POST", httpx2.URL(upstream.url), {"Authorization": "Bearer key\nX-Other: text"}, b""
            )
        assert "key" not in str(refused.value)

    used(use)
    assert upstream.seen == []


def test_an_upstream_that_is_not_there_is_a_fault_of_the_client() -> None:
    async def use(client: Asking) -> None:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1")

    used(use)


def test_head_and_body_of_a_request_are_one_write() -> None:
    """A model's server that read them apart would wake twice."""
    parts: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts.append(await reader.read(1 << 20))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    used_with(serve, lambda client, url: client.send("POST", url, b"body " * 1_000))
    (whole,) = parts
    assert whole.startswith(b"POST /chat HTTP/1.1\r\n")
    assert whole.endswith(b"\r\n\r\n" + b"body " * 1_000)


def test_a_large_body_is_sent_as_fast_as_it_is_taken(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))
    content = bytes(range(256)) * 40_000

    async def use(client: Asking) -> None:
        for _ in range(2):
            assert (await client.send("POST", upstream.url, content)).json() == 1

    used(use)
    assert [seen.body == content for seen in upstream.seen] == [True, True]
    assert upstream.connections == 1


def test_an_upstream_that_takes_nothing_is_a_fault_of_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def use(client: Asking, url: str) -> None:
        with pytest.raises(httpx2.WriteTimeout):
            await client.send("POST", url, b"x" * (50 << 20))

    used_with(serve, use, timeout=httpx2.Timeout(10, write=0.3))


def test_a_request_that_was_refused_before_its_end_has_its_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()  # a connection that ends with bytes unread is reset, and the answer lost
        writer.close()

    assert used_with(serve, lambda client, url: client.send("POST", url, b"x" * (4 << 20))).status == 413


def test_a_response_that_nobody_reads_is_held_back_at_the_upstream(upstream: FakeUpstream) -> None:
    chunk = b"x" * (1 << 20)
    upstream.script(Turn(chunks=(chunk,) * 64))

    async def use(client: Asking) -> int:
        response = await client.connections.send("GET", httpx2.URL(upstream.url), {}, b"")
        assert isinstance(response.body, ReplyBody)
        await asyncio.sleep(0.5)
        held, size = response.body._connection._held, 0
        while part := await response.body.part(10):
            size += len(part)
        await response.body.close()
        assert size == 64 << 20
        return held

    assert 0 < used(use) < 2 * HELD_BYTES  # type: ignore[operator]
    assert upstream.connections == 1


def test_bytes_that_nobody_asked_for_close_an_idle_connection(upstream: FakeUpstream) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
    upstream.script(Turn(raw=whole + b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n"), json_turn(2))

    async def use(client: Asking) -> list[object]:
        return [(await client.get(upstream.url)).json() for _ in range(2)]

    assert used(use) == [1, 2]
    assert upstream.connections == 2


def test_a_compressed_body_is_decoded(upstream: FakeUpstream) -> None:
    body = gzip.compress(b'{"text": "compressed"}')
    upstream.script(Turn(chunks=(body[:10], body[10:]), headers={"Content-Encoding": "gzip"}))

    async def use(client: Asking) -> object:
        return (await client.get(upstream.url)).json()

    assert used(use) == {"text": "compressed"}


def test_interim_responses_are_passed_over(upstream: FakeUpstream) -> None:
    upstream.script(Turn(raw=b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"))

    async def use(client: Asking) -> object:
        return (await client.get(upstream.url)).json()

    assert used(use) == 3


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://a..b/", "http://127.0.0.1:1/"])
def test_an_address_that_is_none_is_a_fault_of_the_client(url: str) -> None:
    async def use(client: Asking) -> None:
        with pytest.raises((httpx2.ConnectError, httpx2.UnsupportedProtocol)):
            await client.get(url)

    used(use)


class Wire(asyncio.Transport):
    """A transport that takes everything."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass


HEAD_OF_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def gathered(read: Callable[[UpstreamConnection], Awaitable[T]]) -> T:
    """The result of `read`, over a connection whose response has begun and whose reader gathers."""

    async def begun() -> T:
        connection = UpstreamConnection()
        connection.connection_made(Wire())
        await connection.send("GET", b"/", [(b"Host", b"h")], b"", 1)
        connection.data_received(HEAD_OF_CHUNKS)
        await connection.head(1)
        connection.gather()
        return await read(connection)

    return asyncio.run(begun())


def test_a_reader_that_gathers_is_woken_once_by_the_end() -> None:
    async def read(connection: UpstreamConnection) -> tuple[bool, bytes | None]:
        reading = asyncio.create_task(connection.part(10))
        for _ in range(3):
            await asyncio.sleep(0)
            connection.data_received(b"1\r\na\r\n")
        is_early = reading.done()
        connection.data_received(b"0\r\n\r\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert reading.done(), "the end waits for nothing"
        return is_early, await reading

    assert gathered(read) == (False, b"aaa")


def test_a_reader_that_gathers_gets_the_bytes_of_an_upstream_that_pauses() -> None:
    async def read(connection: UpstreamConnection) -> tuple[bytes | None, bytes | None, bytes | None]:
        reading = asyncio.create_task(connection.part(10))
        await asyncio.sleep(0)
        connection.data_received(b"1\r\na\r\n")
        first = await reading
        impatient = asyncio.create_task(connection.part(0.001))
        await asyncio.sleep(0)
        connection.data_received(b"1\r\nb\r\n")
        return first, await impatient, await connection.part(0.001)

    assert gathered(read) == (b"a", b"b", None)
