"""Metrics: exact counts of calls, tokens, cost and time, in Prometheus' own form, out of reach without a token."""

from __future__ import annotations

import sys

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from rlm_core.types import ModelUsage, Reply
from rlm_server.assets import Assets
from rlm_server.calls.audit_log import AuditLog
from rlm_server.calls.call_record import CallRecord, CallWatch
from rlm_server.calls.metrics import MOST_MODELS, MOST_SERIES, OTHER, Metrics, Model, Series
from rlm_server.http.app import create_app
from rlm_server.http.exposition import _Collected
from rlm_server.http.problems import Problem
from rlm_server.providers.upstream import UpstreamError
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn, openai_deltas, openai_reply

ANN, BO = "anns-long-random-token", "bos-long-random-token"
TOKENS = f"ann:{ANN},bo:{BO}"
LONG = {"first_byte_seconds": 30, "total_seconds": 30, "retries": 0}


def team(upstream: FakeUpstream, assets: Assets, **values: object) -> TestClient:
    settings = settings_for(upstream, **{"tokens": TOKENS, **LONG, **values})
    return TestClient(create_app(settings, assets=assets), base_url="http://127.0.0.1")


def ask(client: TestClient, token: str = ANN, **body: object) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/api/rlm", json={"model": "openai:m", "prompt": "q", **body}, headers=headers)


def samples(text: str) -> dict[tuple[str, str], float]:
    """Name and labels, as `k=v` sorted by name, of each sample that is no bucket -> its value."""
    return {
        (sample.name, " ".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def scraped(client: TestClient, token: str = ANN) -> dict[tuple[str, str], float]:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return samples(response.text)


def record_of(model: str, user: str = "", **facts: object) -> CallRecord:
    return CallRecord(user, "openai", model, "", 1, **facts)  # type: ignore[arg-type]


def test_calls_tokens_and_cost_are_counted_by_model_and_outcome(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply(usage={"prompt_tokens": 7, "completion_tokens": 2, "cost": 0.25})))
    with team(upstream, assets) as client:
        assert [ask(client, token).status_code for token in (ANN, ANN, BO)] == [200] * 3
        upstream.script(Turn(status=429))
        assert ask(client).status_code == 429
        found = scraped(client)
    labels = "model=m provider=openai"
    assert found["rlm_calls_total", "model=m outcome=answered provider=openai"] == 3
    assert found["rlm_calls_total", "model=m outcome=rate-limited provider=openai"] == 1
    assert found["rlm_tokens_total", "kind=input model=m provider=openai"] == 21
    assert found["rlm_tokens_total", "kind=output model=m provider=openai"] == 6
    assert found["rlm_cost_usd_total", labels] == 0.75
    assert found["rlm_call_seconds_count", labels] == 4
    assert found["rlm_first_piece_seconds_count", labels] == 3
    assert (found["rlm_calls_in_flight", labels], found["rlm_prompts_waiting", ""]) == (0, 0)


def test_users_are_told_apart_only_where_that_is_wanted(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    for by_user in (False, True):
        with team(upstream, assets, metrics_by_user=by_user) as client:
            assert [ask(client, token).status_code for token in (ANN, ANN, BO)] == [200] * 3
            calls = {labels: value for (name, labels), value in scraped(client).items() if name == "rlm_calls_total"}
        outcome = "model=m outcome=answered provider=openai"
        assert calls == ({f"{outcome} user=ann": 2, f"{outcome} user=bo": 1} if by_user else {outcome: 3})


def test_a_budget_that_is_spent_is_an_outcome(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(json_turn(openai_reply()))
    with team(upstream, assets, max_run_calls=1) as client:
        assert [ask(client).status_code for _ in range(2)] == [200, 403]
        assert scraped(client)["rlm_calls_total", "model=m outcome=budget-spent provider=openai"] == 1


def test_a_kept_reply_is_no_call(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(events_turn(*openai_deltas("a")))
    headers = {"Authorization": f"Bearer {ANN}", "Idempotency-Key": "r/0"}
    with team(upstream, assets) as client:
        for _ in range(3):
            assert client.post("/api/rlm", json={"model": "openai:m", "prompt": "q"}, headers=headers).is_success
        assert scraped(client)["rlm_calls_total", "model=m outcome=answered provider=openai"] == 1


def test_no_token_no_metrics_unless_a_setting_says_so(upstream: FakeUpstream, assets: Assets) -> None:
    with team(upstream, assets) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    with team(upstream, assets, metrics_open=True) as client:
        for host in ("127.0.0.1", "10.1.2.3:8000"):
            assert client.get("/metrics", headers={"Host": host}).status_code == 200
        assert client.get("/api/models").status_code == 401
        assert client.post("/metrics").status_code == 401


def test_openmetrics_is_spoken_to_those_who_ask_for_it(upstream: FakeUpstream, assets: Assets) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0", "Authorization": f"Bearer {ANN}"}
    with team(upstream, assets) as client:
        response = client.get("/metrics", headers=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_without_the_package_the_answer_says_what_to_install(
    upstream: FakeUpstream, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    with team(upstream, assets) as client:
        response = client.get("/metrics", headers={"Authorization": f"Bearer {ANN}"})
    assert response.status_code == 404
    assert "pip install 'pyodide-rlm[metrics]'" in response.json()["detail"]


def test_names_beyond_the_bound_count_as_others_and_no_count_is_lost() -> None:
    metrics = Metrics()
    for number in range(MOST_MODELS + 50):
        metrics.count(record_of(f"m{number}"))
    for number in range(MOST_SERIES + 50):
        metrics.count(record_of("m0", f"user{number}"))
    assert len({series[:2] for series, _ in metrics.calls}) == len(metrics.seconds) == MOST_MODELS + 1
    assert len({series for series, _ in metrics.calls}) <= MOST_SERIES + MOST_MODELS + 1
    assert metrics.calls.total() == MOST_MODELS + MOST_SERIES + 100
    assert metrics.calls[Series("openai", OTHER, ""), "broken-off"] == 50
    assert sum(histogram.counts[0] for histogram in metrics.seconds.values()) == metrics.calls.total()


def test_a_name_that_cannot_be_encoded_spoils_nothing() -> None:
    from prometheus_client import generate_latest

    metrics = Metrics()
    metrics.count(record_of('m"\\\ud800'))
    text = generate_latest(_Collected(metrics, by_user=True)).decode()
    assert samples(text)["rlm_calls_total", 'model=m"\\? outcome=broken-off provider=openai user='] == 1


def test_times_are_put_into_buckets() -> None:
    times = iter([0.0, 0.3, 7.0])
    watch, record = CallWatch(Metrics(), AuditLog()), record_of("m", clock=lambda: next(times))
    with watch.watching(record):
        assert watch.metrics.in_flight == {Model("openai", "m"): 1}
        record.take(Reply("text", usage=ModelUsage(1, 3, 4)))
    assert watch.metrics.in_flight.total() == 0
    text = {model.model: histogram for model, histogram in watch.metrics.seconds.items()}
    assert (text["m"].total, text["m"].counts.index(1)) == (7.0, 6)
    assert watch.metrics.first_seconds[Model("openai", "m")].counts.index(1) == 2
    assert watch.metrics.unpriced.total() == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (UpstreamError("x", kind="timeout", upstream="u"), "timeout"),
        (Problem("budget-spent", "x"), "budget-spent"),
        (ValueError("x"), "internal-error"),
        (GeneratorExit(), "broken-off"),
    ],
)
def test_each_end_of_a_call_has_its_outcome(fault: BaseException, outcome: str) -> None:
    watch, record = CallWatch(), record_of("m")
    with pytest.raises(type(fault)), watch.watching(record):
        raise fault
    assert [found for _, found in watch.metrics.calls] == [outcome]


def test_prompts_that_wait_for_a_slot_are_counted_until_they_begin() -> None:
    metrics = Metrics()
    with metrics.waiting_for(5) as begin, metrics.waiting_for(2):
        begin()
        begin()
        assert metrics.waiting == 5
    assert metrics.waiting == 0


def test_a_batch_under_way_shows_what_is_in_flight_and_what_waits(upstream: FakeUpstream, assets: Assets) -> None:
    seen: list[tuple[float, float]] = []
    with team(upstream, assets, concurrency=1) as client:
        watch: CallWatch = client.app.state.backend.watch  # type: ignore[attr-defined]

        def answer(_: object) -> Turn:
            seen.append((watch.metrics.in_flight.total(), watch.metrics.waiting))
            return json_turn(openai_reply())

        upstream.answer = answer
        body = {"type": "batch", "prompts": ["a", "b", "c"], "model": "openai:m"}
        assert client.post("/api/rlm", json=body, headers={"Authorization": f"Bearer {ANN}"}).is_success
    assert seen == [(1, 2), (1, 1), (1, 0)]
