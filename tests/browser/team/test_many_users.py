"""Fifty people at once, with calls in turn, at two providers: exact budgets, nobody starves, little time is added."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import httpx2
import pytest

from tests.browser.headless.driving import awaited
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, anthropic_reply, fake_upstream, json_turn, openai_reply
from tests.server.rules.forked import Servers, forked_servers

USERS = [f"user{number}" for number in range(50)]
CALLS = 20
BEYOND = 2
"""Calls of each user that his day has no room for."""
MODEL_SECONDS = 0.8
"""The clients and the providers of the test share a processor with each other: at this pace they have time to spare."""
MOST_ADDED_SECONDS = 0.05
MOST_GROWN_MB = 60.0
ROUNDS = 3
"""A measurement that something else disturbs is made again, so often at most."""
PROVIDERS = """
[providers.first]
dialect = "openai"
base_url = "{url}/v1"
key = "sk-of-the-test"
models = ["m"]

[providers.second]
dialect = "anthropic"
base_url = "{url}"
key = "sk-of-the-test"
models = ["m"]
"""


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with fake_upstream() as fake:
        fake.answer = answered
        yield fake


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with forked_servers(tmp_path / "log") as servers:
        yield servers


def variables(upstream: FakeUpstream, folder: Path) -> dict[str, str]:
    (folder / "providers.toml").write_text(PROVIDERS.format(url=upstream.url))
    return {
        "NOTHING": str(folder),
        "RLM_CONFIG": str(folder / "providers.toml"),
        "RLM_TOKENS": ",".join(f"{user}:{token_of(user)}" for user in USERS),
        "RLM_MAX_DAY_CALLS": str(CALLS),
        "RLM_STORE_PATH": str(folder / "store"),
        "RLM_STAND_IN": "false",
        "OLLAMA_BASE_URL": "none",
    }


def token_of(user: str) -> str:
    return f"{user}-has-a-long-random-text"


def p99(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def megabytes(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def all_at_once(url: str, calls: int) -> Mapping[str, list[tuple[int, float]]]:
    """Status and seconds of each call of each user."""

    async def ask(number: int, user: str) -> list[tuple[int, float]]:
        await asyncio.sleep(number / len(USERS) * MODEL_SECONDS)
        headers = {"Authorization": f"Bearer {token_of(user)}", "Idempotency-Key": ""}
        model = ("first:m", "second:m")[number % 2]
        told = []
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, trust_env=False, verify=False, timeout=60
        ) as client:
            for call in range(calls):
                client.headers["Idempotency-Key"] = f"{user}/{call}"
                began = time.perf_counter()
                response = await client.post("/api/rlm", json={"prompt": f"{user}: {call}", "model": model})
                told.append((response.status_code, time.perf_counter() - began))
        return told

    answers = await asyncio.gather(*(ask(number, user) for number, user in enumerate(USERS)))
    return dict(zip(USERS, answers, strict=True))


async def without_server(url: str) -> list[float]:
    """Seconds of each of as many calls, by the same client, to the provider itself."""
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}]}

    async def ask(number: int) -> list[float]:
        await asyncio.sleep(number / len(USERS) * MODEL_SECONDS)
        times = []
        async with httpx2.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=60) as client:
            for _ in range(CALLS):
                began = time.perf_counter()
                await client.post("/v1/chat/completions", json=body)
                times.append(time.perf_counter() - began)
        return times

    return [seconds for times in await asyncio.gather(*map(ask, range(len(USERS)))) for seconds in times]


def answered(seen: Seen) -> Turn:
    """A reply in the dialect of the provider, after a while."""
    return json_turn((openai_reply if "chat/completions" in seen.path else anthropic_reply)(), seconds=MODEL_SECONDS)


def asked_prompt(seen: Seen) -> str:
    content: str = seen.json()["messages"][-1]["content"]
    return content


@pytest.mark.timed
def test_fifty_at_once_have_exact_budgets_and_wait_alike(
    upstream: FakeUpstream, servers: Servers, tmp_path: Path
) -> None:
    for attempt in range(ROUNDS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        upstream.seen.clear()
        process, url = servers.start(variables(upstream, folder))
        before = megabytes(process)
        told = awaited(all_at_once(url, CALLS + BEYOND))
        grown = megabytes(process) - before
        paid = sorted(asked_prompt(seen) for seen in upstream.seen)
        alone = awaited(without_server(upstream.url))
        os.kill(process, signal.SIGTERM)
        servers.ended()

        assert paid == sorted(f"{user}: {call}" for user in USERS for call in range(CALLS))
        expected = [200] * CALLS + [403] * BEYOND
        assert {user: [status for status, _ in calls] for user, calls in told.items()} == dict.fromkeys(USERS, expected)
        waits = {user: p99([seconds for status, seconds in calls if status == 200]) for user, calls in told.items()}
        added = p99([seconds for calls in told.values() for status, seconds in calls if status == 200]) - p99(alone)
        facts = {"longest": max(waits.values()), "median": median(waits.values()), "added": added, "grown": grown}
        print(json.dumps(facts))
        assert grown < MOST_GROWN_MB
        if max(waits.values()) <= 2 * median(waits.values()) and added <= MOST_ADDED_SECONDS:
            return
    pytest.fail(f"in {ROUNDS} rounds: {facts}")
