"""Day budgets: each user's day is counted exactly, over restarts, between processes, and whatever breaks off."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from rlm_core.types import ModelUsage
from rlm_server.assets import Assets
from rlm_server.calls.budgets import Allowed, Tally
from rlm_server.calls.day_usage import DayUsage
from rlm_server.calls.reply_store import Store
from rlm_server.http.app import create_app
from rlm_server.http.problems import Problem
from rlm_server.providers.upstream import UpstreamError
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn, openai_reply

ANN, BO = "anns-long-random-token", "bos-long-random-token"
PATIENT = {"connect_seconds": 60.0, "first_byte_seconds": 30, "total_seconds": 30, "retries": 0}
NOON = 1_800_014_400.0  # 2027-01-15
DAY_SECONDS = 86_400
ONE = ModelUsage(1, cost=0.0)
TEN_CALLS = Allowed("day", 10, None, None)


def limited(upstream: FakeUpstream, assets: Assets, **limits: object) -> TestClient:
    settings = settings_for(upstream, **{**PATIENT, "tokens": f"ann:{ANN},bo:{BO}", **limits})
    return TestClient(create_app(settings, assets=assets), base_url="http://127.0.0.1")


def post(client: TestClient, token: str = ANN, key: str | None = None, **body: object) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}", **({} if key is None else {"Idempotency-Key": key})}
    return client.post("/api/rlm", json={"model": "openai:m", "prompt": "q", **body}, headers=headers)


def left(client: TestClient, token: str = ANN) -> dict[str, object]:
    budget = client.get("/api/models", headers={"Authorization": f"Bearer {token}"}).json()["budget"]
    assert isinstance(budget, dict)
    return budget


def with_usage(work: Callable[[DayUsage], object], path: Path | None = None, at: float = NOON) -> None:
    usage = DayUsage(path, clock=lambda: at)
    try:
        asyncio.run(work(usage))  # type: ignore[arg-type]
    finally:
        usage.close()


async def used_of(usage: DayUsage, user: str = "ann") -> Tally:
    return (await usage.tally(user))[0]


async def call(usage: DayUsage, allowed: Allowed = TEN_CALLS, user: str = "ann", used: ModelUsage = ONE) -> None:
    async with usage.reserved(allowed, user, ONE) as settle:
        await asyncio.sleep(0)
        settle(used)


def test_of_500_calls_at_once_each_user_gets_exactly_those_of_his_day(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply("ok")))

    async def ask(client: httpx2.AsyncClient, number: int) -> tuple[str, int]:
        token = (ANN, BO)[number % 2]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"r{number}/0"}
        body = {"model": "openai:m", "prompt": "q"}
        return token, (await client.post("/api/rlm", json=body, headers=headers)).status_code

    async def ask_500() -> list[tuple[str, int]]:
        settings = settings_for(upstream, **PATIENT, tokens=f"ann:{ANN},bo:{BO}", max_day_calls=50)
        app = create_app(settings, assets=assets)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await asyncio.gather(*(ask(client, number) for number in range(500)))

    outcomes = asyncio.run(ask_500())
    assert {pair: outcomes.count(pair) for pair in outcomes} == {
        (ANN, 200): 50,
        (ANN, 403): 200,
        (BO, 200): 50,
        (BO, 403): 200,
    }
    assert len(upstream.seen) == 100


def test_a_day_is_kept_over_a_restart_and_says_what_is_left(
    upstream: FakeUpstream, assets: Assets, tmp_path: Path
) -> None:
    upstream.script(json_turn(openai_reply(usage={"prompt_tokens": 7, "completion_tokens": 2, "cost": 0.25})))
    limits = {"max_day_calls": 3, "max_day_cost": 10.0, "store_path": tmp_path / "store.sqlite"}
    with limited(upstream, assets, **limits) as client:
        assert [post(client).status_code for _ in range(2)] == [200, 200]
        budget = left(client)
        assert str(budget.pop("until")).endswith("T00:00:00Z")
        assert budget == {
            "calls": {"used": 2, "allowed": 3, "left": 1},
            "cost": {"used": 0.5, "allowed": 10.0, "left": 9.5},
        }
    with limited(upstream, assets, **limits) as client:
        assert [post(client).status_code for _ in range(3)] == [200, 403, 403]
        assert left(client)["calls"] == {"used": 3, "allowed": 3, "left": 0}
        assert left(client, BO)["calls"] == {"used": 0, "allowed": 3, "left": 3}
        assert post(client, BO).status_code == 200
        problem = post(client).json()
    assert problem["type"] == "/problems/budget-spent"
    said = "Today you have used 3 of 3 calls. Raise RLM_MAX_DAY_CALLS, or wait for the next day (UTC)."
    assert problem["detail"] == said


def test_without_a_limit_nothing_is_counted_or_shown(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets) as client:
        assert post(client).status_code == 200
        assert client.get("/api/models", headers={"Authorization": f"Bearer {ANN}"}).json()["budget"] is None
        assert client.portal is not None
        assert client.portal.call(used_of, client.app.state.backend.budgets.days) == Tally()  # type: ignore[attr-defined]


def test_tokens_and_cost_of_a_day_are_settled_by_what_the_reply_says(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply(usage={"prompt_tokens": 7, "completion_tokens": 2, "cost": 0.4})))
    with limited(upstream, assets, max_day_tokens=20) as client:
        assert [post(client).status_code for _ in range(4)] == [200, 200, 200, 403]
        assert "27 of 20 tokens" in post(client).json()["detail"]
    with limited(upstream, assets, max_day_cost=1.0) as client:
        assert [post(client).status_code for _ in range(4)] == [200, 200, 200, 403]
        assert "$1.2000 of $1.0000" in post(client).json()["detail"]


def test_a_kept_reply_and_a_call_that_another_budget_refuses_cost_the_day_nothing(
    upstream: FakeUpstream, assets: Assets
) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_day_calls=10, max_run_calls=1) as client:
        assert [post(client, key="a/0").status_code for _ in range(3)] == [200] * 3
        assert [post(client, key=f"a/{number}").status_code for number in range(1, 4)] == [403] * 3
        assert left(client)["calls"] == {"used": 1, "allowed": 10, "left": 9}


def test_a_failed_call_counts_and_one_that_reached_nobody_does_not(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(Turn(status=500))
    with limited(upstream, assets, max_day_calls=2) as client:
        assert [post(client).status_code for _ in range(3)] == [502, 502, 403]
    with limited(upstream, assets, max_day_calls=1, openai_base_url="http://127.0.0.1:1/v1") as client:
        assert [post(client).status_code for _ in range(3)] == [502, 502, 502]


def test_two_processes_on_one_file_share_a_day(tmp_path: Path) -> None:
    path, let_in = tmp_path / "store.sqlite", 0

    async def ask(usage: DayUsage) -> int:
        try:
            await call(usage)
        except Problem:
            return 0
        return 1

    async def work() -> None:
        nonlocal let_in
        usages = [DayUsage(path, clock=lambda: NOON) for _ in range(2)]
        try:
            let_in = sum(await asyncio.gather(*(ask(usages[number % 2]) for number in range(40))))
        finally:
            for usage in usages:
                usage.close()

    asyncio.run(work())
    assert let_in == 10


def test_a_process_that_is_killed_in_a_call_has_counted_it(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"

    async def killed(usage: DayUsage) -> None:
        async with usage.reserved(TEN_CALLS, "ann", ONE):
            other = DayUsage(path, clock=lambda: NOON)  # what another process, or the next one, reads meanwhile
            assert (await used_of(other)).calls == 1
            other.close()

    with_usage(killed, path)


def test_a_new_day_begins_anew_and_the_old_rows_go(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"

    async def spend(usage: DayUsage) -> None:
        for _ in range(10):
            await call(usage)
        with pytest.raises(Problem):
            await call(usage)

    with_usage(spend, path)
    with_usage(spend, path, at=NOON + DAY_SECONDS)
    rows = sqlite3.connect(path)
    assert rows.execute("SELECT user, day, calls FROM day_usage").fetchall() == [("ann", "2027-01-16", 10)]
    rows.close()


def test_a_call_that_ends_on_the_next_day_belongs_to_its_own() -> None:
    at = NOON

    async def work() -> None:
        nonlocal at
        usage = DayUsage(None, clock=lambda: at)
        async with usage.reserved(TEN_CALLS, "ann", ONE) as settle:
            at += DAY_SECONDS
            await call(usage)
            settle(ModelUsage(1, 100, 100, cost=0.0))
        assert await used_of(usage) == Tally(1)
        usage.close()

    asyncio.run(work())


def test_each_end_of_a_call_counts_as_in_the_other_budgets() -> None:
    guess = ModelUsage(1, 100, 0, 0, 0.25)
    allowed = Allowed("day", None, 1000, 10.0)

    async def work(usage: DayUsage) -> None:
        for fault, tally in (
            (KeyboardInterrupt(), Tally(1, 100, 0.25)),
            (UpstreamError("x", kind="rate-limited", upstream="u"), Tally(2, 100, 0.25)),
            (UpstreamError("x", kind="unreachable", upstream="u"), Tally(2, 100, 0.25)),
            (Problem("budget-spent", "x"), Tally(2, 100, 0.25)),
        ):
            with pytest.raises(type(fault)):
                async with usage.reserved(allowed, "ann", guess):
                    raise fault
            assert await used_of(usage) == tally
        await call(usage, allowed, used=ModelUsage(1, 7, 2))
        assert await used_of(usage) == Tally(3, 109, 0.25, unpriced=1)
        with pytest.raises(Problem, match=r"RLM_MAX_DAY_COST is \$10.0000, but the cost of 1 of 3 calls is unknown"):
            await call(usage, allowed)

    with_usage(work)


def test_a_call_that_is_cancelled_while_it_is_counted_gives_its_guess_back() -> None:
    async def work(usage: DayUsage) -> None:
        tasks = [asyncio.create_task(call(usage)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await used_of(usage) == Tally()

    with_usage(work)


def test_a_day_that_cannot_be_counted_lets_no_call_in(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"

    async def work(usage: DayUsage) -> None:
        other = sqlite3.connect(path)
        other.execute("DROP TABLE day_usage")
        other.close()
        with pytest.raises(Problem, match=r"cannot be counted .*, so no call is let in\. See RLM_STORE_PATH"):
            await call(usage)

    with_usage(work, path)


def test_the_file_of_an_earlier_version_is_used(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path, max_bytes=1000, max_seconds=1).close()
    with_usage(call, path)


def test_changed_limits_hold_for_the_same_day(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with limited(upstream, assets, max_day_calls=1) as client:
        assert [post(client).status_code for _ in range(2)] == [200, 403]
        settings = client.app.state.settings.model_copy(update={"max_day_calls": 2})  # type: ignore[attr-defined]
        assert client.portal is not None
        client.portal.call(client.app.take_settings, settings)  # type: ignore[attr-defined]
        assert [post(client).status_code for _ in range(2)] == [200, 403]
