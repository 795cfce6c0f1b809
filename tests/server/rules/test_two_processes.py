"""Two servers with one store file: a call under way in one is waited for by the other, and stopped by either."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from rlm_core.types import Reply
from rlm_server.assets import Assets
from rlm_server.calls import reply_store
from rlm_server.calls.reply_store import LEASE_SECONDS, Lease, Store
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn, openai_reply

KEY = {"Idempotency-Key": "run/0"}
HELD = Turn(chunks=json_turn(openai_reply("Paris")).chunks, held=True)


@pytest.fixture
def callers(upstream: FakeUpstream, assets: Assets, tmp_path: Path) -> Iterator[list[httpx2.Client]]:
    """A client of each server."""
    settings = settings_for(upstream, store_path=tmp_path / "replies", first_byte_seconds=60, total_seconds=60)
    with ExitStack() as opened:
        urls = [opened.enter_context(serving(create_app(settings, assets=assets), drain_seconds=0)) for _ in range(2)]
        yield [
            opened.enter_context(httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=30))
            for url in urls
        ]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def post(client: httpx2.Client, **body: object) -> httpx2.Response:
    return client.post("/api/rlm", json={"model": "openai:m", **body}, headers=KEY)


def at_both(
    callers: list[httpx2.Client], threads: ThreadPoolExecutor, upstream: FakeUpstream, **body: object
) -> list[Future[httpx2.Response]]:
    """The same request at the first, and once its call is upstream at the second."""
    first = threads.submit(post, callers[0], **body)
    assert upstream.arrived.acquire(timeout=10)
    second = threads.submit(post, callers[1], **body)
    assert not upstream.arrived.acquire(timeout=0.5)
    return [first, second]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [{"prompt": "a"}, {"prompt": "a", "stream": True}, {"type": "batch", "prompts": ["a"]}]
)
def test_a_call_under_way_in_the_other_is_waited_for(
    callers: list[httpx2.Client], threads: ThreadPoolExecutor, upstream: FakeUpstream, body: dict[str, object]
) -> None:
    upstream.script(HELD)
    responses = at_both(callers, threads, upstream, **body)
    upstream.release()
    assert ["Paris" in response.result().text for response in responses] == [True, True]
    assert len(upstream.seen) == 1


def test_a_call_that_fails_in_one_is_made_by_the_other(
    callers: list[httpx2.Client], threads: ThreadPoolExecutor, upstream: FakeUpstream
) -> None:
    upstream.script(
        Turn(status=400, chunks=[b'{"error": {"message": "no"}}'], held=True), json_turn(openai_reply("Paris"))
    )
    failed, answered = at_both(callers, threads, upstream, prompt="a")
    upstream.release()
    assert failed.result().status_code >= 400
    assert answered.result().json()["text"] == "Paris"
    assert len(upstream.seen) == 2


@pytest.mark.slow
@pytest.mark.parametrize("stopped_at", [0, 1])
def test_a_stop_at_either_stops_the_call_and_whoever_waits_for_it(
    callers: list[httpx2.Client], threads: ThreadPoolExecutor, upstream: FakeUpstream, stopped_at: int
) -> None:
    upstream.script(HELD)
    responses = at_both(callers, threads, upstream, prompt="a")
    assert callers[stopped_at].post("/api/rlm/cancel", json={"key": "run/0"}).json()["cancelled"] >= 1
    types = {response.result(timeout=10).json()["type"] for response in responses}
    assert types == {"/problems/stopped"}, types
    assert len(upstream.seen) == 1
    upstream.script(json_turn(openai_reply("Rome")))
    assert [post(caller, prompt="a").json()["text"] for caller in callers] == ["Rome", "Rome"]


def claimed_by(owner: str, path: Path) -> Reply | Lease:
    """The answer of a store whose file holds a lease of `owner`."""

    async def claim() -> Reply | Lease:
        store = Store(path, max_bytes=10_000, max_seconds=60)
        with sqlite3.connect(path) as rows:
            until = time.time() + LEASE_SECONDS
            rows.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, 0)", (b"k", owner, b"run", until))
        rows.close()
        answer = await store.claim(b"k", b"run", waits=False)
        store.close()
        return answer

    return asyncio.run(claim())


def test_the_lease_of_a_process_that_ended_here_counts_no_more(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(60)
    here = reply_store._machine()
    owners = {
        "that ended": f"{here} {ended.pid} aa bb",
        "of this number, before": f"{here} {os.getpid()} aa bb",
        "of this one": f"{here} {os.getpid()} {reply_store.PROCESS} bb",
        "at work": f"{here} {os.getppid()} aa bb",
        "of another machine": f"elsewhere pid:[1] {ended.pid} aa bb",
    }
    answers = {name: claimed_by(owner, tmp_path / "replies") for name, owner in owners.items()}
    ours = {"that ended", "of this number, before"}
    assert answers == {name: Lease.OURS if name in ours else Lease.THEIRS for name in owners}


def test_a_lease_ends_in_time_and_a_renewed_one_does_not(tmp_path: Path) -> None:
    now = 1000.0

    async def claims() -> list[Reply | Lease]:
        nonlocal now
        options = {"max_bytes": 10_000, "max_seconds": 60, "clock": lambda: now}
        one, other = (Store(tmp_path / "replies", **options) for _ in range(2))  # type: ignore[arg-type]
        taken = [await one.claim(b"k", b"run", waits=False)]
        now += LEASE_SECONDS - 1
        assert await one.renew([b"k"]) == []
        now += LEASE_SECONDS - 1
        taken.append(await other.claim(b"k", b"run", waits=True))
        now += 2
        taken.append(await other.claim(b"k", b"run", waits=True))
        await one.release(b"k")  # the late process ends nobody else's lease
        taken.append(await one.claim(b"k", b"run", waits=False))
        await other.put(b"k", Reply("Paris"))
        taken.append(await one.claim(b"k", b"run", waits=True))
        one.close()
        other.close()
        return taken

    assert asyncio.run(claims()) == [Lease.OURS, Lease.THEIRS, Lease.OURS, Lease.THEIRS, Reply("Paris")]
