"""Connections to upstreams: kept, used again, and closed in time."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from rlm_server.providers.connections import BODY, Connections, trusted
from rlm_server.providers.upstream_connection import HELD_BYTES
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn

Use = Callable[[httpx2.AsyncClient], Awaitable[object]]


def used(use: Use, **options: float) -> object:
    """The result of `use` with a client over `Connections`."""

    async def main() -> object:
        connections = Connections(ssl.create_default_context(), **options)  # type: ignore[arg-type]
        async with httpx2.AsyncClient(transport=connections, timeout=10, trust_env=False) as client:
            return await use(client)

    return asyncio.run(main())


def test_a_connection_is_used_again_until_it_is_too_old(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))

    async def five_times(client: httpx2.AsyncClient) -> None:
        for _ in range(5):
            assert (await client.get(upstream.url)).json() == 1

    used(five_times)
    assert upstream.connections == 1
    used(five_times, kept_seconds=0)
    assert upstream.connections == 6


def test_as_many_connections_as_requests_at_once_and_the_latest_is_used_first(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))

    async def use(client: httpx2.AsyncClient) -> None:
        for _ in range(3):
            await asyncio.gather(*(client.get(upstream.url) for _ in range(8)))
        for _ in range(20):
            await client.get(upstream.url)

    used(use)
    assert upstream.connections <= 8


def test_a_connection_that_the_upstream_closed_is_not_used(upstream: FakeUpstream) -> None:
    upstream.script(Turn(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"))  # and closes, without a word

    async def use(client: httpx2.AsyncClient) -> None:
        for _ in range(3):
            assert (await client.get(upstream.url)).json() == 1
            await asyncio.sleep(0.1)

    used(use)
    assert upstream.connections == 3


def test_a_body_that_is_left_closes_its_connection(upstream: FakeUpstream) -> None:
    upstream.script(Turn(chunks=(b"part",), hang=True))

    async def use(client: httpx2.AsyncClient) -> bool:
        async with client.stream("GET", upstream.url) as response:
            assert await anext(response.aiter_bytes()) == b"part"
        return await asyncio.to_thread(upstream.abandoned.acquire, timeout=10)

    assert used(use)


def test_above_the_most_requests_wait_and_then_fail(upstream: FakeUpstream) -> None:
    upstream.script(Turn(silent=True), json_turn(1))

    async def use(client: httpx2.AsyncClient) -> None:
        first = asyncio.ensure_future(client.get(upstream.url))
        while not upstream.seen:
            await asyncio.sleep(0.01)
        with pytest.raises(httpx2.PoolTimeout):
            await client.get(upstream.url, timeout=httpx2.Timeout(10, pool=0.1))
        first.cancel()
        await asyncio.wait([first])
        assert (await client.get(upstream.url)).json() == 1

    used(use, most=1)


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

    async def use(client: httpx2.AsyncClient) -> None:
        with pytest.raises(fault):
            await client.get(upstream.url, timeout=httpx2.Timeout(10, read=0.3))

    used(use)


def test_an_upstream_that_is_not_there_is_a_fault_of_the_client() -> None:
    async def use(client: httpx2.AsyncClient) -> None:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1")

    used(use)


def test_head_and_body_of_a_request_are_one_write() -> None:
    """A model's server that read them apart would wake twice."""

    async def main() -> list[bytes]:
        parts: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            parts.append(await reader.read(1 << 20))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with httpx2.AsyncClient(transport=Connections(trusted()), trust_env=False) as client:
                await client.post(f"http://127.0.0.1:{port}/chat", content=b"body " * 1_000)
        return parts

    (whole,) = asyncio.run(main())
    assert whole.startswith(b"POST /chat HTTP/1.1\r\n")
    assert whole.endswith(b"\r\n\r\n" + b"body " * 1_000)


def test_a_large_body_is_sent_as_fast_as_it_is_taken(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(1))
    content = bytes(range(256)) * 40_000

    async def use(client: httpx2.AsyncClient) -> None:
        for _ in range(2):
            assert (await client.post(upstream.url, content=content)).json() == 1

    used(use)
    assert [seen.body == content for seen in upstream.seen] == [True, True]
    assert upstream.connections == 1


def test_an_upstream_that_takes_nothing_is_a_fault_of_the_client() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1) as server:
            port = server.sockets[0].getsockname()[1]
            timeout = httpx2.Timeout(10, write=0.3)
            async with httpx2.AsyncClient(transport=Connections(trusted()), trust_env=False, timeout=timeout) as client:
                with pytest.raises(httpx2.WriteTimeout):
                    await client.post(f"http://127.0.0.1:{port}", content=b"x" * (50 << 20))
            over.set()

    asyncio.run(main())


def test_a_request_that_was_refused_before_its_end_has_its_answer() -> None:
    async def main() -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.read()  # a connection that ends with bytes unread is reset, and the answer lost
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with httpx2.AsyncClient(transport=Connections(trusted()), trust_env=False) as client:
                return (await client.post(f"http://127.0.0.1:{port}", content=b"x" * (4 << 20))).status_code

    assert asyncio.run(main()) == 413


def test_a_response_that_nobody_reads_is_held_back_at_the_upstream(upstream: FakeUpstream) -> None:
    chunk = b"x" * (1 << 20)
    upstream.script(Turn(chunks=(chunk,) * 64))

    async def use(client: httpx2.AsyncClient) -> int:
        async with client.stream("GET", upstream.url) as response:
            await asyncio.sleep(0.5)
            body = response.extensions[BODY]
            held = body._connection._held
            assert sum([len(part) async for part in response.aiter_bytes()]) == 64 << 20
        return int(held)

    assert 0 < used(use) < 2 * HELD_BYTES  # type: ignore[operator]
    assert upstream.connections == 1


def test_bytes_that_nobody_asked_for_close_an_idle_connection(upstream: FakeUpstream) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
    upstream.script(Turn(raw=whole + b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n"), json_turn(2))

    async def use(client: httpx2.AsyncClient) -> list[int]:
        return [(await client.get(upstream.url)).json() for _ in range(2)]

    assert used(use) == [1, 2]
    assert upstream.connections == 2


def test_a_compressed_body_is_decoded(upstream: FakeUpstream) -> None:
    body = gzip.compress(b'{"text": "compressed"}')
    upstream.script(Turn(chunks=(body[:10], body[10:]), headers={"Content-Encoding": "gzip"}))

    async def use(client: httpx2.AsyncClient) -> object:
        return (await client.get(upstream.url)).json()

    assert used(use) == {"text": "compressed"}


def test_interim_responses_are_passed_over(upstream: FakeUpstream) -> None:
    upstream.script(Turn(raw=b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"))

    async def use(client: httpx2.AsyncClient) -> object:
        return (await client.get(upstream.url)).json()

    assert used(use) == 3


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://a..b/", "http://127.0.0.1:1/"])
def test_an_address_that_is_none_is_a_fault_of_the_client(url: str) -> None:
    async def use(client: httpx2.AsyncClient) -> None:
        with pytest.raises((httpx2.ConnectError, httpx2.UnsupportedProtocol)):
            await client.send(client.build_request("GET", url))

    used(use)
