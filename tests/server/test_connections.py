"""Connections to upstreams: kept, used again, and closed in time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import httpcore2
import httpx2
import pytest

from rlm_server.providers.connections import Connections
from rlm_server.providers.joined_writes import JOINED_BYTES, Joined
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


class Wire(httpcore2.AsyncNetworkStream):
    """A network that notes what is written; `fault` is raised by writes."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.written: list[bytes] = []
        self.fault = fault

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self.fault is not None:
            raise self.fault
        self.written.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"reply"


def test_head_and_body_of_a_request_are_one_write() -> None:
    async def main() -> list[bytes]:
        wire = Wire()
        joined = Joined(wire)
        await joined.write(b"head ", 1)
        await joined.write(b"body", 1)
        assert wire.written == []
        assert await joined.read(10) == b"reply"
        assert await joined.read(10) == b"reply"
        await joined.write(b"next", 1)
        await joined.read(10)
        return wire.written

    assert asyncio.run(main()) == [b"head body", b"next"]


def test_a_large_body_is_not_held_back() -> None:
    async def main() -> list[int]:
        wire = Wire()
        joined = Joined(wire)
        for size in (10, JOINED_BYTES, 5, 5):
            await joined.write(b"x" * size, 1)
        await joined.read(10)
        return [len(write) for write in wire.written]

    assert asyncio.run(main()) == [JOINED_BYTES + 10, 10]


def test_an_answer_to_a_request_that_was_refused_before_its_end_is_read() -> None:
    async def main(fault: Exception) -> bytes:
        joined = Joined(Wire(fault))
        await joined.write(b"head", 1)
        return await joined.read(10)

    assert asyncio.run(main(httpcore2.WriteError("closed"))) == b"reply"
    with pytest.raises(httpcore2.WriteTimeout):
        asyncio.run(main(httpcore2.WriteTimeout("full")))
