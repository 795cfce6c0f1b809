"""Drain: a server that stops lets calls finish; one that is killed has kept every reply that a client has."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from rlm_server.http.item_lines import GATHER_SECONDS
from rlm_server.settings import Settings
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, openai_reply
from tests.server.rules.forked import SHORT_DRAIN_SECONDS, Servers, forked_servers

KILLS = 24
BATCH = 40


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with forked_servers(tmp_path_factory.mktemp("servers") / "stderr") as servers:
        yield servers


@pytest.fixture
def variables(upstream: FakeUpstream, tmp_path: Path) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "sk-x",
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "OLLAMA_BASE_URL": "none",
        "RLM_MODELS": "openai:m",
        "RLM_STORE_PATH": str(tmp_path / "store"),
        "NOTHING": str(tmp_path),
    }


def held_reply() -> Turn:
    return Turn(chunks=json_turn(openai_reply("whole")).chunks, held=True)


def ask(url: str, key: str = "r/0", **body: object) -> httpx2.Response:
    headers = {"Origin": url, "Idempotency-Key": key}
    return httpx2.post(f"{url}/api/rlm", json={"model": "openai:m", **body}, headers=headers, timeout=60)


def ask_and_leave(url: str, upstream: FakeUpstream, key: str | None) -> None:
    """Ask for a streamed reply and go away as soon as the call is upstream."""
    headers = {"Origin": url, **({"Idempotency-Key": key} if key else {})}
    body = {"model": "openai:m", "prompt": "q", "stream": True}
    with httpx2.stream("POST", f"{url}/api/rlm", json=body, headers=headers, timeout=60):
        assert upstream.arrived.acquire(timeout=60)


def refuses(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as attempt:
        attempt.settimeout(5)
        return attempt.connect_ex((host, int(port))) != 0


def test_all_in_all_it_takes_less_than_10_seconds() -> None:
    assert Settings.model_fields["drain_seconds"].default <= 9


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_call_under_way_is_answered_before_the_end(
    servers: Servers, variables: dict[str, str], upstream: FakeUpstream, number: signal.Signals
) -> None:
    upstream.script(held_reply())
    pid, url = servers.start(variables)
    texts: list[str] = []
    asking = threading.Thread(target=lambda: texts.append(ask(url, prompt="q").json()["text"]))
    asking.start()
    assert upstream.arrived.acquire(timeout=60)
    os.kill(pid, number)
    while not refuses(url):  # it stops listening within its next tick of 0.1 s
        pass
    upstream.release()
    asking.join(60)
    assert texts == ["whole"]
    servers.ended()


@pytest.mark.slow
def test_a_call_that_nobody_waits_for_is_still_kept(
    servers: Servers, variables: dict[str, str], upstream: FakeUpstream
) -> None:
    upstream.script(held_reply())
    pid, url = servers.start(variables)
    ask_and_leave(url, upstream, "r/0")
    os.kill(pid, signal.SIGTERM)
    while not refuses(url):
        pass
    upstream.release()
    servers.ended()
    pid, url = servers.start(variables)
    assert ask(url, prompt="q").json()["text"] == "whole"
    assert len(upstream.seen) == 1
    os.kill(pid, signal.SIGKILL)
    servers.ended()


@pytest.mark.slow
@pytest.mark.parametrize("key", ["r/0", None])
def test_a_call_that_never_ends_is_given_up(
    servers: Servers, variables: dict[str, str], upstream: FakeUpstream, key: str | None
) -> None:
    upstream.script(Turn(silent=True))
    pid, url = servers.start(variables)
    ask_and_leave(url, upstream, key)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    servers.ended()
    assert time.monotonic() - began < 10 * SHORT_DRAIN_SECONDS  # of a call without an end


@pytest.mark.slow
@pytest.mark.parametrize("key", ["r/0", None])
def test_a_client_that_still_waits_at_the_end_gets_a_problem(
    servers: Servers, variables: dict[str, str], upstream: FakeUpstream, key: str | None
) -> None:
    upstream.script(Turn(silent=True), Turn(silent=True))
    pid, url = servers.start(variables)
    headers = {"Origin": url, **({} if key is None else {"Idempotency-Key": key})}
    answers: list[httpx2.Response] = []

    def ask_for(stream: bool) -> None:
        body = {"prompt": f"q{stream}", "model": "openai:m", "stream": stream}
        answers.append(httpx2.post(f"{url}/api/rlm", json=body, headers=headers, timeout=30, trust_env=False))

    asking = [threading.Thread(target=ask_for, args=(stream,)) for stream in (False, True)]
    for thread in asking:
        thread.start()
    for _ in asking:
        assert upstream.arrived.acquire(timeout=60)
    os.kill(pid, signal.SIGTERM)
    for thread in asking:
        thread.join(30)
    servers.ended()
    whole, streamed = sorted(answers, key=lambda answer: -answer.status_code)
    assert (whole.status_code, whole.json()["type"], whole.json()["retryable"]) == (
        503,
        "/problems/server-stopping",
        True,
    )
    assert '"/problems/server-stopping"' in streamed.text.splitlines()[-2]


class Killer:
    """An upstream that answers each call differently, and kills the server when a certain call arrives.

    A reply takes twice as long as a line waits for others, or the server would be dead before its first message.
    """

    def __init__(self) -> None:
        self.paid = Counter[str]()
        self.numbers = itertools.count()
        self.pid = 0
        self.left = 0

    def aim(self, pid: int, left: int) -> None:
        """Kill `pid` when the call after `left` more arrives; until then its store has to do."""
        self.pid, self.left = pid, left

    def answer(self, seen: Seen) -> Turn:
        messages = seen.json()["messages"]
        assert isinstance(messages, list)
        prompt = str(messages[-1]["content"])
        self.paid[prompt] += 1
        self.left -= 1
        if self.left == -1 and self.pid:
            os.kill(self.pid, signal.SIGKILL)
        return replace(json_turn(openai_reply(f"{next(self.numbers)}: {prompt}")), seconds=2 * GATHER_SECONDS)


def told_until_killed(url: str, key: str, prompts: list[str]) -> dict[int, str]:
    """The items of a streamed batch that come before the server dies, somewhere on the way."""
    told: dict[int, str] = {}
    body = {"type": "batch", "prompts": prompts, "model": "openai:m", "stream": True}
    headers = {"Origin": url, "Idempotency-Key": key}
    try:
        with httpx2.stream("POST", f"{url}/api/rlm", json=body, headers=headers, timeout=60) as response:
            for item in map(json.loads, response.iter_lines()):
                assert "text" in item
                told[item["index"]] = item["text"]
    except (httpx2.HTTPError, json.JSONDecodeError):
        pass  # a reply was on its way when the server died
    return told


def check_file(path: Path) -> None:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as rows:
        assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows.close()


@pytest.mark.slow
def test_killed_at_any_moment_it_has_kept_what_it_told(
    servers: Servers, variables: dict[str, str], upstream: FakeUpstream, tmp_path: Path
) -> None:
    killer, chance = Killer(), random.Random(15)
    upstream.answer = killer.answer
    told: dict[int, str] = {}
    told_in_all = 0
    for kill in range(KILLS + 1):
        killer.aim(0, 0)
        pid, url = servers.start({**variables, "RLM_CONCURRENCY": "4"})
        if kill:
            before = [f"{kill - 1}/{index}" for index in range(BATCH)]
            again = ask(url, f"run-{kill - 1}/0", type="batch", prompts=before).json()["results"]
            assert {index: again[index] for index in told} == told
            assert all(killer.paid[before[index]] == 1 for index in told)
            assert all(killer.paid[prompt] <= 2 for prompt in before)
            assert sum(killer.paid[prompt] == 2 for prompt in before) <= 4  # those under way when it died
        killer.aim(pid, chance.randrange(BATCH))
        told = told_until_killed(url, f"run-{kill}/0", [f"{kill}/{index}" for index in range(BATCH)])
        assert servers.ended() == -signal.SIGKILL
        check_file(tmp_path / "store")
        told_in_all += len(told)
    assert 0.2 < told_in_all / (KILLS * BATCH) < 0.8
