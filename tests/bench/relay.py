"""Relay: the time that the server adds to a model call, and how many streams it holds at once.

In: the addresses of the server and of the bench's model. Out: `Row`s. No browser is needed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.bench.rows import Row

STREAMS = 200
CHAT = {"model": "wait-0", "messages": [{"role": "user", "content": "x"}], "stream": True}


def relay_rows(app: str, site: str, *, count: int) -> Iterator[Row]:
    direct, relayed = [], []
    with httpx2.Client(headers={"Origin": app}) as client:
        for number in range(count):
            direct.append(timed(client, f"{site}/v1/chat/completions", CHAT))
            body = {"model": "openai:wait-0", "prompt": f"x {number}", "stream": True}
            relayed.append(timed(client, f"{app}/api/rlm", body))
    added = statistics.median(relayed) - statistics.median(direct)
    yield Row("server relay, added to a call", added, "ms", 3.0)
    with ThreadPoolExecutor() as pool:  # playwright has a loop of its own in this thread
        seconds = pool.submit(asyncio.run, many_streams(app)).result()
    yield Row(f"{STREAMS} streams of 1 s at once", seconds, "s", 2.0, "one stream", 1.0)


def timed(client: httpx2.Client, url: str, body: dict[str, object]) -> float:
    began = time.perf_counter()
    response = client.post(url, json=body)
    assert response.status_code == 200, response.text
    return (time.perf_counter() - began) * 1000


async def many_streams(app: str) -> float:
    limits = httpx2.Limits(max_connections=STREAMS)
    async with httpx2.AsyncClient(headers={"Origin": app}, limits=limits, timeout=30) as client:

        async def one(number: int) -> str:
            body = {"model": "openai:wait-1000", "prompt": f"stream {number}", "stream": True}
            return (await client.post(f"{app}/api/rlm", json=body)).text

        began = time.perf_counter()
        replies = await asyncio.gather(*(one(number) for number in range(STREAMS)))
        assert all('"done": true' in text or '"done":true' in text for text in replies)
    return time.perf_counter() - began
