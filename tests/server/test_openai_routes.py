"""The routes of `/v1` over runs that are played: forms, streams, keys, limits, stops, and clients that go away."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from rlm_core import ConfigError, RLMError
from rlm_server.assets import Assets
from rlm_server.http import own_runs
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.openai_api import answering, kept_runs
from rlm_server.openai_api.kept_runs import Finished, KeptRun
from tests.server.conftest import make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, openai_turn

TOKEN = "of-the-server-alone"
LONG = "The mill stands by the river. " * 400
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 4,
    "total_tokens": 34,
    "prompt_tokens_details": {"cached_tokens": 0},
    "model_calls": 2,
}
EVIDENCE = {
    "quote": "by the river",
    "source": "message",
    "status": "found",
    "start": 16,
    "end": 28,
    "line": 1,
    "page": None,
}


class Played:
    """Answers runs; `held` runs wait until they are released."""

    def __init__(self) -> None:
        self.runs: list[KeptRun] = []
        self.is_held = False
        self.released = threading.Event()
        self.answer: Callable[[KeptRun], Awaitable[Finished]] = self.usual

    async def __call__(self, run: KeptRun) -> Finished:
        self.runs.append(run)
        run.add("reasoning", "Iteration 1, 0.1 s\n")
        while self.is_held and not self.released.is_set():
            await asyncio.sleep(0.01)
        return await self.answer(run)

    async def usual(self, run: KeptRun) -> Finished:
        return Finished("Ann [1]", "stop", USAGE, (EVIDENCE,))


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def client(
    played: Played, upstream: FakeUpstream, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx2.Client]:
    monkeypatch.setattr(answering.Answering, "_recursive", lambda self, run: played(run))
    settings = settings_for(upstream, token=TOKEN, first_byte_seconds=20, total_seconds=20)
    with (
        serving(create_app(settings, assets=assets, runs=2), drain_seconds=0) as url,
        httpx2.Client(
            base_url=url, trust_env=False, timeout=20, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as client,
    ):
        yield client
        played.released.set()


def body(text: str = f"{LONG}\n\nWho owns it?", **more: Any) -> dict[str, Any]:
    return {"model": "rlm", "messages": [{"role": "user", "content": text}], **more}


def events_of(reply: httpx2.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_models_are_rlm_and_one_for_each_root_model(client: httpx2.Client) -> None:
    listed = client.get("/v1/models").json()
    names = [model["id"] for model in listed["data"]]
    assert names[0] == "rlm"
    assert {"rlm/openai:m", "rlm/anthropic:m"} <= set(names)


def test_one_model_is_shown_by_its_name(client: httpx2.Client) -> None:
    listed = client.get("/v1/models").json()["data"]
    for name in ("rlm", listed[-1]["id"]):
        assert client.get(f"/v1/models/{name}").json()["id"] == name
    reply = client.get("/v1/models/gpt-5")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/chat/completions", "/v1/embeddings", "/v1/completions"])
def test_a_path_that_a_client_misses_says_which_are_there(client: httpx2.Client, path: str) -> None:
    reply = client.post(path, json=body())
    assert reply.status_code == 404
    assert "POST /v1/chat/completions and /v1/responses" in reply.json()["error"]["message"]


def test_a_completion_is_whole_with_usage_and_evidence(client: httpx2.Client, played: Played) -> None:
    reply = client.post("/v1/chat/completions", json=body()).json()
    choice = reply["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Ann [1]", "stop")
    citation = choice["message"]["annotations"][0]["url_citation"]
    assert citation == {
        "title": "by the river", "url": "context:message#char=16,28", "start_index": 4, "end_index": 7
    }  # fmt: skip
    assert choice["message"]["evidence"] == [EVIDENCE]
    assert reply["usage"] == USAGE
    assert played.runs[0].asked.question == "Who owns it?"


def test_a_run_that_is_over_holds_no_context(client: httpx2.Client, played: Played) -> None:
    seen: list[int] = []

    async def answer(run: KeptRun) -> Finished:
        seen.append(sum(map(len, run.asked.texts.values())))
        return await played.usual(run)

    played.answer = answer
    attached = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}}
    client.post("/v1/chat/completions", json=body())
    messages = [{"role": "user", "content": [attached, {"type": "text", "text": "Who owns it?"}]}]
    client.post("/v1/chat/completions", json={"model": "rlm", "messages": messages})
    until(lambda: all(not run.asked.turns for run in played.runs))
    assert seen == [len(f"{LONG}\n\nWho owns it?"), 0]
    assert [(run.asked.texts, run.asked.files, run.asked.question) for run in played.runs] == [
        ({}, (), "Who owns it?")
    ] * 2


def test_a_stream_begins_with_the_role_and_has_progress_beside_the_content(client: httpx2.Client) -> None:
    reply = client.post("/v1/chat/completions", json=body(stream=True, stream_options={"include_usage": True}))
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = events_of(reply)
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Iteration 1, 0.1 s\n"
    assert "".join(delta.get("content", "") for delta in deltas) == "Ann [1]"
    assert (events[-1]["choices"], events[-1]["usage"]) == ([], USAGE)
    assert reply.text.endswith("data: [DONE]\n\n")


def test_a_stream_without_the_usage_chunk_has_it_in_the_last_one(client: httpx2.Client) -> None:
    last = events_of(client.post("/v1/chat/completions", json=body(stream=True)))[-1]
    assert (last["usage"], last["choices"][0]["finish_reason"]) == (USAGE, "stop")


def test_a_comment_comes_while_nothing_else_does(
    client: httpx2.Client, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept_runs.HEARTBEAT_SECONDS == 15.0
    monkeypatch.setattr(KeptRun.follow, "__defaults__", (0.05,))
    played.is_held = True
    with client.stream("POST", "/v1/chat/completions", json=body(stream=True)) as reply:
        lines = reply.iter_lines()
        assert next(line for line in lines if line.startswith(":")) == ": waiting"
        played.released.set()
        assert "data: [DONE]" in list(lines)


def test_a_limit_is_the_finish_reason_length(client: httpx2.Client, played: Played) -> None:
    async def limited(run: KeptRun) -> Finished:
        return Finished("partly", "length", USAGE)

    played.answer = limited
    assert client.post("/v1/chat/completions", json=body()).json()["choices"][0]["finish_reason"] == "length"
    response = client.post("/v1/responses", json={"model": "rlm", "input": f"{LONG}\n\nWho?"}).json()
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_a_failed_run_is_an_error_whole_and_in_a_stream(client: httpx2.Client, played: Played) -> None:
    async def fail(run: KeptRun) -> Finished:
        raise RLMError("The provider is gone.")

    played.answer = fail
    reply = client.post("/v1/chat/completions", json=body())
    assert (reply.status_code, reply.json()["error"]["message"]) == (500, "The provider is gone.")
    assert events_of(client.post("/v1/chat/completions", json=body(stream=True)))[-1]["error"]["code"] == "run_failed"
    events = events_of(client.post("/v1/responses", json={"model": "rlm", "input": LONG, "stream": True}))
    assert (events[-1]["type"], events[-1]["response"]["status"]) == ("response.failed", "failed")


def test_a_short_prompt_is_one_plain_call(client: httpx2.Client, played: Played, upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: openai_turn(seen, "A title")
    reply = client.post("/v1/chat/completions", json=body("Give this chat a title", model="rlm/openai:m")).json()
    assert reply["choices"][0]["message"]["content"] == "A title"
    assert played.runs == []
    streamed = client.post("/v1/chat/completions", json=body("A title?", model="rlm/openai:m", stream=True))
    contents = [event["choices"][0]["delta"].get("content", "") for event in events_of(streamed)]
    assert "".join(contents) == "A title"


def test_a_client_that_goes_away_does_not_end_its_run_and_the_key_collects_it(
    client: httpx2.Client, played: Played
) -> None:
    played.is_held = True
    key = {"Idempotency-Key": "mine"}
    with client.stream("POST", "/v1/chat/completions", json=body(stream=True), headers=key) as reply:
        next(reply.iter_lines())
    until(lambda: len(played.runs) == 1)
    played.released.set()
    reply = client.post("/v1/chat/completions", json=body(), headers=key)
    assert reply.json()["choices"][0]["message"]["content"] == "Ann [1]"
    assert len(played.runs) == 1
    other = client.post("/v1/chat/completions", json=body("another " + LONG), headers=key)
    assert other.status_code == 409
    assert "another body" in other.json()["error"]["message"]


def test_a_retry_of_an_openai_client_joins_the_run_under_way(client: httpx2.Client, played: Played) -> None:
    played.is_held = True
    with client.stream("POST", "/v1/chat/completions", json=body(stream=True)) as reply:
        next(reply.iter_lines())
    threading.Timer(0.1, played.released.set).start()
    again = client.post("/v1/chat/completions", json=body(), headers={"x-stainless-retry-count": "1"})
    assert again.json()["choices"][0]["message"]["content"] == "Ann [1]"
    assert len(played.runs) == 1


def test_runs_at_once_are_limited(client: httpx2.Client, played: Played) -> None:
    played.is_held = True
    for number in range(2):
        client.post("/v1/responses", json={"model": "rlm", "input": f"{LONG} {number}", "background": True})
    refused = client.post("/v1/chat/completions", json=body())
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "2 of 2 runs are under way. Ask again in" in refused.json()["error"]["message"]


def test_a_background_response_is_polled_and_cancelled(client: httpx2.Client, played: Played) -> None:
    played.is_held = True
    wanted = {"model": "rlm", "input": f"{LONG}\n\nWho?", "background": True}
    begun = client.post("/v1/responses", json=wanted).json()
    assert (begun["status"], begun["background"], begun["output"]) == ("in_progress", True, [])
    stopped = client.post(f"/v1/responses/{begun['id']}/cancel").json()
    assert stopped["status"] == "cancelled"
    assert client.get(f"/v1/responses/{begun['id']}").json()["status"] == "cancelled"
    played.is_held = False
    second = client.post("/v1/responses", json=wanted).json()
    until(lambda: client.get(f"/v1/responses/{second['id']}").json()["status"] == "completed")
    output = client.get(f"/v1/responses/{second['id']}").json()["output"]
    assert output[0]["content"][0]["text"] == "Ann [1]"
    assert client.get("/v1/responses/resp_none").status_code == 404


def test_a_streamed_response_has_the_events_of_the_api_in_order(client: httpx2.Client) -> None:
    events = events_of(client.post("/v1/responses", json={"model": "rlm", "input": LONG, "stream": True}))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:2] == ["created", "in_progress"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == "Ann [1]"
    usage = events[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (30, 4, 34)


@pytest.mark.parametrize(
    ("path", "wanted", "status", "said"),
    [
        ("/v1/chat/completions", {**body(), "tools": [{"type": "function"}]}, 400, "cannot be called"),
        ("/v1/chat/completions", {**body(), "model": "gpt-5"}, 404, "is not here"),
        ("/v1/chat/completions", [], 400, "the body must be an object"),
        ("/v1/chat/completions", {**body(), "stream": "false"}, 400, "stream must be true or false, not 'false'"),
        ("/v1/responses", {"model": "rlm", "input": "a", "background": "no"}, 400, "background must be true or false"),
        ("/v1/responses", {"model": "rlm"}, 400, "input is missing"),
        ("/v1/responses", {"model": "rlm", "input": None}, 400, "input is missing"),
        ("/v1/responses", {"model": "rlm", "input": "a", "previous_response_id": "b"}, 400, "is not kept here"),
    ],
)
def test_a_refusal_has_openais_form(client: httpx2.Client, path: str, wanted: Any, status: int, said: str) -> None:
    reply = client.post(path, json=wanted)
    assert reply.status_code == status
    assert said in reply.json()["error"]["message"]


def test_a_program_without_the_token_is_refused(client: httpx2.Client) -> None:
    assert httpx2.post(f"{client.base_url}/v1/chat/completions", json=body(), trust_env=False).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert httpx2.get(f"{client.base_url}/v1/models", headers=wrong, trust_env=False).status_code == 401


def test_runs_need_a_token_of_the_server(assets: Assets) -> None:
    with pytest.raises(ConfigError, match="--runs needs RLM_TOKEN"):
        create_app(make_settings(), assets=assets, runs=1)
    own_runs.check_runs(make_settings(), 0)


def test_a_server_without_runs_says_how_to_have_them(upstream: FakeUpstream, assets: Assets) -> None:
    with serving(create_app(settings_for(upstream, token=TOKEN), assets=assets), drain_seconds=0) as url:
        reply = httpx2.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
    assert (reply.status_code, "serve --runs N" in reply.json()["error"]["message"]) == (404, True)


def test_a_run_counts_in_the_day_of_the_user_who_asked(
    played: Played, upstream: FakeUpstream, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering.Answering, "_recursive", lambda self, run: played(run))
    upstream.answer = lambda seen: openai_turn(seen, "a reply")
    ann, bo = "anns-long-random-token", "bos-long-random-token"
    own = {"token": TOKEN, "tokens": f"ann:{ann},bo:{bo}", "max_day_calls": 2}
    patient = {"first_byte_seconds": 20, "total_seconds": 20}
    with serving(create_app(settings_for(upstream, **own, **patient), assets=assets, runs=2), drain_seconds=0) as url:
        statuses: list[int] = []

        async def call(key: str) -> None:
            headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
            async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as page:
                sent = await page.post(f"{url}/api/rlm", json={"model": "openai:m", "prompt": key})
                statuses.append(sent.status_code)

        async def calling(run: KeptRun) -> Finished:
            for number in range(3):
                await call(f"{run.id}/{number}")
            return await played.usual(run)

        def left(token: str) -> int:
            with httpx2.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=20) as client:
                found: int = client.get(f"{url}/api/models").json()["budget"]["calls"]["left"]
                return found

        played.answer = calling
        with httpx2.Client(headers={"Authorization": f"Bearer {ann}"}, trust_env=False, timeout=20) as client:
            assert client.post(f"{url}/v1/chat/completions", json=body()).status_code == 200
        assert statuses == [200, 200, 403]  # budget-spent
        assert (left(ann), left(bo)) == (0, 2)
        asyncio.run(call(f"{played.runs[0].id}/9"))
        assert statuses[-1] == 200  # the run is over, and its name stands for nobody
        assert left(ann) == 0
