"""Budgets: the use of a run and of a start is counted exactly, before the call, and settled after it."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from starlette.testclient import TestClient

from rlm_core.types import Message, ModelUsage
from rlm_server.assets import Assets
from rlm_server.calls.budgets import Budgets
from rlm_server.http.app import create_app
from rlm_server.http.problems import Problem
from rlm_server.providers.upstream import UpstreamError
from tests.server.conftest import make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn, openai_reply

ONE = ModelUsage(1, cost=0.0)
PATIENT = {"connect_seconds": 60.0, "first_byte_seconds": 30, "total_seconds": 30}
SPENT = "/problems/budget-spent"


def limited(upstream: FakeUpstream, assets: Assets, **limits: object) -> TestClient:
    settings = settings_for(upstream, **{"retries": 0, **PATIENT, **limits})
    headers = {"Origin": "http://127.0.0.1"}
    return TestClient(create_app(settings, assets=assets), base_url="http://127.0.0.1", headers=headers)


def post(client: TestClient, key: str | None = None, **body: object) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/rlm", json={"model": "openai:m", "prompt": "q", **body}, headers=headers)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "kept"), [("max_run_calls", True), ("max_start_calls", False)])
def test_of_1000_calls_at_once_exactly_100_reach_the_upstream(
    upstream: FakeUpstream, assets: Assets, setting: str, kept: bool
) -> None:
    upstream.script(json_turn(openai_reply("ok")))

    async def ask(client: httpx2.AsyncClient, number: int) -> httpx2.Response:
        headers = {"Idempotency-Key": f"r/{number}"} if kept else {}
        return await client.post("/api/rlm", json={"model": "openai:m", "prompt": "q"}, headers=headers)

    async def ask_1000() -> list[httpx2.Response]:
        app = create_app(settings_for(upstream, **PATIENT, **{setting: 100}), assets=assets)
        transport = httpx2.ASGITransport(app=app)
        async with app.router.lifespan_context(app):
            base = {"base_url": "http://127.0.0.1", "headers": {"Origin": "http://127.0.0.1"}}
            async with httpx2.AsyncClient(transport=transport, **base) as client:  # type: ignore[arg-type]
                return await asyncio.gather(*(ask(client, number) for number in range(1000)))

    responses = asyncio.run(ask_1000())
    assert len(upstream.seen) == 100
    assert sorted({response.status_code for response in responses}) == [200, 403]
    assert sum(response.status_code == 200 for response in responses) == 100
    assert {response.json()["type"] for response in responses if response.status_code == 403} == {SPENT}


def test_of_a_batch_of_1000_exactly_100_reach_the_upstream(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply("ok")))
    body = {"type": "batch", "prompts": [str(number) for number in range(1000)], "model": "openai:m"}
    with limited(upstream, assets, max_run_calls=100, concurrency=1000) as client:
        reply = client.post("/api/rlm", json=body).json()
    assert len(upstream.seen) == 100
    assert reply["results"].count("ok") == 100
    assert {error["type"] for error in reply["errors"]} == {SPENT}


def test_a_spent_budget_says_numbers_and_setting(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_calls=2) as client:
        assert [post(client).status_code for _ in range(4)] == [200, 200, 403, 403]
        problem = post(client).json()
        streamed = post(client, stream=True)
    assert (problem["type"], problem["retryable"], problem["upstream"]) == (SPENT, False, None)
    assert problem["detail"] == "This run has used 2 of 2 calls. Raise RLM_MAX_RUN_CALLS, or begin a new run."
    assert SPENT in streamed.text
    assert len(upstream.seen) == 2


def test_each_run_has_its_own_budget_and_all_share_that_of_the_start(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_calls=2, max_start_calls=5) as client:
        runs = ["a", "a", "a", "b", "b", "b", "c", "c", "d"]
        responses = [post(client, f"{run}/{number}") for number, run in enumerate(runs)]
    assert [response.status_code for response in responses] == [200, 200, 403, 200, 200, 403, 200, 403, 403]
    assert "Since its start this server has used 5 of 5 calls. Raise RLM_MAX_START_CALLS" in responses[-1].text


def test_a_kept_reply_costs_nothing(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_calls=1) as client:
        assert [post(client, "a/0").status_code for _ in range(5)] == [200] * 5
        assert post(client, "a/1").status_code == 403


def test_a_failed_call_counts_but_one_that_reached_nobody_does_not(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(Turn(status=500))
    with limited(upstream, assets, max_run_calls=2) as client:
        assert [post(client).status_code for _ in range(3)] == [502, 502, 403]
    nowhere = {"openai_base_url": "http://127.0.0.1:1/v1"}
    with limited(upstream, assets, max_run_calls=1, **nowhere) as client:
        assert [post(client).status_code for _ in range(3)] == [502, 502, 502]


def test_a_refused_request_costs_nothing(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_calls=1) as client:
        assert post(client, prompt=" ").status_code == post(client, model="openai:x").status_code == 400
        assert post(client).status_code == 200


def test_tokens_are_settled_by_what_the_reply_says(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_tokens=20) as client:
        assert [post(client, "a/" + str(number)).status_code for number in range(4)] == [200, 200, 200, 403]
        assert "27 of 20 tokens" in post(client, "a/5").text
        large = post(client, "b/0", prompt="x" * 400).json()
    assert "0 of 20 tokens, and this call needs 101 or more. Raise RLM_MAX_RUN_TOKENS" in large["detail"]


def test_cost_is_settled_by_what_the_reply_says(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply(usage={"cost": 0.4})))
    with limited(upstream, assets, max_start_cost=1.0) as client:
        assert [post(client).status_code for _ in range(4)] == [200, 200, 200, 403]
        assert "$1.2000 of $1.0000" in post(client).text


def test_a_budget_of_cost_is_kept_even_where_cost_is_unknown(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_run_cost=1.0) as client:
        assert [post(client, "a/" + str(number)).status_code for number in range(2)] == [200, 403]
        assert "cost of 1 of 1 calls is unknown" in post(client, "a/2").text
        assert post(client, "b/0", model="builtin:extractive", prompt="Who? Ada.").status_code == 200
        assert post(client, "b/1", model="builtin:extractive", prompt="Who? Ada.").status_code == 200


def test_calls_under_way_hold_their_guess() -> None:
    budgets = Budgets.of(make_settings(max_run_tokens=100))
    guess = budgets.guess([Message("user", "x" * 160)])
    assert guess.input_tokens == 41
    reserved = [budgets.reserved("r", guess) for _ in range(3)]
    with reserved[0], reserved[1], pytest.raises(Problem, match="82 of 100 tokens"), reserved[2]:
        pass


def test_a_call_that_is_broken_off_keeps_its_guess_and_a_failed_one_gives_it_back() -> None:
    budgets = Budgets.of(make_settings(max_run_tokens=1000, max_run_cost=1))
    guess = ModelUsage(1, 100, 0, 0, 0.25)
    with pytest.raises(KeyboardInterrupt), budgets.reserved("r", guess):
        raise KeyboardInterrupt
    used = budgets.runs["r"]
    assert (used.calls, used.tokens, used.cost) == (1, 100, 0.25)
    with pytest.raises(UpstreamError), budgets.reserved("r", guess):
        raise UpstreamError("x", kind="rate-limited", upstream="u")
    assert (used.calls, used.tokens, used.cost) == (2, 100, 0.25)
    with pytest.raises(UpstreamError), budgets.reserved("r", guess):
        raise UpstreamError("x", kind="unreachable", upstream="u")
    assert (used.calls, used.tokens, used.cost) == (2, 100, 0.25)
    with budgets.reserved("r", guess) as settle:
        settle(ModelUsage(1, 7, 2, 0, 0.5))
    assert (used.calls, used.tokens, used.cost) == (3, 109, 0.75)


def test_a_budget_of_nothing_lets_nothing_in() -> None:
    for name in ("max_run_calls", "max_run_tokens", "max_run_cost", "max_start_calls"):
        budgets = Budgets.of(make_settings(**{name: 0}))
        with pytest.raises(Problem), budgets.reserved("r", ONE):
            pass


def test_runs_that_are_long_unused_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlm_server.calls.budgets.MAX_RUNS", 3)
    budgets = Budgets.of(make_settings())
    for run in "abcad":
        with budgets.reserved(run, ONE):
            pass
    assert list(budgets.runs) == ["c", "a", "d"]
    assert budgets.started.calls == 5


def test_a_tree_of_runs_shares_one_budget_and_each_visitor_of_a_static_site_has_one(
    upstream: FakeUpstream, assets: Assets
) -> None:
    """The host's keys are `<run>/<path of the child run>/<call>`; a visitor's run has a name of its own."""
    upstream.script(json_turn(openai_reply("ok")))
    with limited(upstream, assets, max_run_calls=3, allowed_origins="https://notes.example") as client:
        client.headers["Origin"] = "https://notes.example"
        tree = [post(client, key).status_code for key in ("one/0", "one/0/0", "one/0/1/0", "one/1")]
        other = [post(client, f"two/{number}").status_code for number in range(4)]
    assert tree == other == [200, 200, 200, 403]
