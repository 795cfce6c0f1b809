"""The meaning of vendors' refusals: their words are paraphrased from public reports."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import httpx2
import pytest

from rlm_core.types import Message
from rlm_server.calls.registry import open_registry
from rlm_server.providers.failures import Failure, failure_in, failure_of, retry_after_seconds
from rlm_server.providers.upstream import UpstreamCall, UpstreamError
from tests.server.conftest import PLANTED_KEY, settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn, openai_deltas

TOO_LONG = [
    (
        400,
        {"error": {"message": "This model's maximum context length is 8192 tokens", "code": "context_length_exceeded"}},
    ),
    (400, {"type": "error", "error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}),
    (400, {"error": {"message": "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"}}),
    (400, [{"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed."}}]),
    (
        400,
        {"error": "Trying to keep the first 9000 tokens. The model is loaded with context length of only 4096 tokens"},
    ),
    (
        400,
        {"error": {"message": "This model's maximum prompt length is 131072 but the request contains 150000 tokens."}},
    ),
    (400, {"message": "Input is too long for requested model."}),
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000"}),
    (400, {"object": "error", "message": "The prompt (9000) is too long to fit into the model (max_model_len 8192)."}),
    (500, {"error": {"message": "the request exceeds the available context size. try increasing the context size"}}),
    (400, {"error": {"message": "prompt token count of 140000 exceeds the limit of 128000"}}),
    (400, {"code": "InvalidParameter", "message": "Range of input length should be [1, 129024]"}),
    (
        429,
        {"error": {"message": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 90000."}},
    ),
    (400, {"error": {"type": "exceed_context_size_error", "message": "request (6009 tokens)"}}),
    (400, {"error": {"message": "Please reduce the length of the messages or completion."}}),
    (400, {"error": {"message": "Your input exceeds the context window of this model."}}),
    (400, {"error": {"message": "litellm.ContextWindowExceededError: ...", "code": "400"}}),
    (400, {"error": {"message": "Prompt length 9000 is greater than max_seq_len 8192"}}),
    (400, {"detail": "Prompt length (9000) exceeds the maximum sequence length (8192)"}),
    (400, {"message": "too many tokens: total number of tokens in the prompt exceeds the limit of 4081"}),
    (400, {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."}),
    (400, {"error": {"message": "prompt too long; exceeded max context length by 40 tokens"}}),
    (400, {"message": "The decoder prompt (length 5000) is longer than the maximum model length of 4096."}),
    (400, {"error": {"message": "input is larger than the max context size. skipped"}}),
    (400, {"error": "The tokens to keep from the initial prompt is greater than the context length."}),
    (422, {"error": {"message": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"}}),
    (400, {"error": {"message": "Your request exceeded model token limit: 8192"}}),
    (400, {"error": {"code": "1261", "message": "Prompt \u8d85\u957f"}}),
    (200, {"type": "error", "error": {"type": "request_too_large"}}),
]
OTHERS = [
    (403, {"message": "Out of call volume quota. Quota will be replenished in 01:30:00."}, "quota-spent"),
    (403, [{"error": {"message": "This API method requires billing to be enabled."}}], "quota-spent"),
    (403, {"error": "Your newly created team doesn't have any credits yet."}, "quota-spent"),
    (412, {"error": {"message": "The account is suspended, possibly by its monthly limit."}}, "quota-spent"),
    (429, {"message": "A trial key is limited to 1000 API calls / month."}, "quota-spent"),
    (429, {"message": "A trial key is limited to 20 API calls / minute."}, "rate-limited"),
    (429, {"error": {"message": "Rate limit of 50 per 86400s exceeded for UserByModelByDay."}}, "quota-spent"),
    (429, {"error": {"message": "Rate limit of 10 per 60s exceeded for UserByModelByMinute."}}, "rate-limited"),
    (400, {"error": {"code": "tool_use_failed", "failed_generation": "The rate limit per day"}}, "failed"),
    (400, {"error": {"code": "json_validate_failed", "failed_generation": "context window"}}, "failed"),
    (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "model-unknown"),
    (200, {"error": {"message": "Reached context length of 4096 tokens with this model"}}, "prompt-too-long"),
    (403, {"error": {"code": "AccountOverdueError", "message": "It has an overdue balance."}}, "quota-spent"),
    (403, {"reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, "quota-spent"),
    (403, {"error": {"message": "Key limit exceeded (total limit)."}}, "quota-spent"),
    (403, {"error": {"message": "The free tier of the model has been exhausted."}}, "quota-spent"),
    (429, {"error": {"message": "Credit limit exceeded", "type": "credit_limit"}}, "quota-spent"),
    (429, {"error": {"code": "QuotaExceeded", "message": "It has exhausted its free trial quota."}}, "quota-spent"),
    (404, {"error": {"message": "No endpoints found matching your data policy."}}, "call-refused"),
    (429, [{"error": {"message": "Your prepayment credits are depleted."}}], "quota-spent"),
    (200, {"type": "error", "error": {"type": "billing_error"}}, "quota-spent"),
    (200, {"type": "error", "error": {"type": "permission_error"}}, "key-refused"),
    (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail: no API secret"}}, "key-refused"),
    (429, {"error": {"code": "NoCapacity", "message": "The system experiences high demand"}}, "failed"),
    (429, {"type": "service_tier_capacity_exceeded"}, "failed"),
    (429, {"message": "Model is not ready for inference. Wait and try again."}, "failed"),
    (400, {"message": "The provided model identifier is invalid."}, "model-unknown"),
    (400, {"error": {"code": "unavailable_model"}}, "model-unknown"),
    (400, {"error": {"message": '"nomic-embed-text" does not support chat'}}, "model-unknown"),
    (410, {"detail": "The model has reached its end of life"}, "model-unknown"),
    (400, {"error": {"code": "1211", "message": "\u6a21\u578b\u4e0d\u5b58\u5728"}}, "model-unknown"),
    (403, {"code": 30003, "message": "Model disabled."}, "model-unknown"),
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "quota-spent"),
    (
        429,
        {"error": {"message": "Quota exceeded for metric: requests per day", "status": "RESOURCE_EXHAUSTED"}},
        "quota-spent",
    ),
    (429, {"error": {"message": "Rate limit reached on requests per day (RPD): Limit 200"}}, "quota-spent"),
    (400, {"error": {"message": "Your credit balance is too low to access the API."}}, "quota-spent"),
    (403, {"error": {"message": "Your account balance is not enough", "code": "insufficient_balance"}}, "quota-spent"),
    (402, {"error": {"message": "This request requires more credits, or fewer max_tokens."}}, "quota-spent"),
    (429, {"error": {"message": "Rate limit exceeded: free-models-per-day. Add 10 credits"}}, "quota-spent"),
    (429, {"error": "Your team has used all available credits or reached its spending limit."}, "quota-spent"),
    (429, {"error": {"message": "Your account is not active", "code": "billing_not_active"}}, "quota-spent"),
    (429, {"error": {"code": "1113", "message": "\u4f59\u989d\u4e0d\u8db3"}}, "quota-spent"),
    (429, {"message": "Too many tokens, please wait before trying again."}, "rate-limited"),
    (400, {"error": {"message": "Current cost: 1, max: 1", "type": "budget_exceeded"}}, "quota-spent"),
    (400, {"error": {"message": "No models loaded. Please load a model first."}}, "model-unknown"),
    (400, {"error": {"message": "m needs an endpoint", "code": "model_not_available"}}, "model-unknown"),
    (424, {"error": {"message": "a part of the server is down"}}, "failed"),
    (498, {"error": {"type": "flex_tier_capacity"}}, "failed"),
    (410, {"error": {"message": "The model gpt-3 has been deprecated"}}, "model-unknown"),
    (429, {"error": {"message": "Quota exceeded", "quotaId": "RequestsPerMinutePerProject"}}, "rate-limited"),
    (
        429,
        {"error": {"message": "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000"}},
        "rate-limited",
    ),
    (429, {}, "rate-limited"),
    (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}], "key-refused"),
    (401, {"error": {"message": "Incorrect API key provided"}}, "key-refused"),
    (403, {"error": {"message": "no access"}}, "key-refused"),
    (403, {"error": {"code": "unsupported_country_region_territory"}}, "call-refused"),
    (
        400,
        {"error": {"message": "filtered by the content management policy", "code": "content_filter"}},
        "call-refused",
    ),
    (400, {"error": {"message": "Unsupported parameter: temperature"}}, "call-refused"),
    (404, {"error": {"message": "This model is only supported in v1/responses"}}, "call-refused"),
    (404, {"error": {"message": "The model `gpt-9` does not exist", "code": "model_not_found"}}, "model-unknown"),
    (404, {"error": "model 'llama9' not found, try pulling it first"}, "model-unknown"),
    (400, {"error": {"message": "gpt-9 is not a valid model ID"}}, "model-unknown"),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, "failed"),
    (529, {"type": "error", "error": {"type": "overloaded_error"}}, "failed"),
    (500, {}, "failed"),
    (504, {}, "timeout"),
    (524, {}, "timeout"),
    (502, {"error": "upstream request timeout"}, "timeout"),
]
REQUESTS = {"failed": 5, "rate-limited": 5, "timeout": 2}
"""Kind -> most requests that one call may cause; 1 for all others."""


@pytest.mark.parametrize(("status", "body"), TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_by_the_words_of_every_vendor(status: int, body: object) -> None:
    failure = failure_of(status, json.dumps(body))
    assert (failure.kind, failure.requests) == ("prompt-too-long", 1)
    assert "Send less text" in failure.advice


@pytest.mark.parametrize(("status", "body", "kind"), OTHERS)
def test_each_kind_of_failure_and_its_requests(status: int, body: object, kind: str) -> None:
    failure = failure_of(status, json.dumps(body))
    assert (failure.kind, failure.requests) == (kind, REQUESTS.get(kind, 1))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, "<html>Attention Required!</html>", "firewall or proxy"),
        (403, "error code: 1020", "firewall or proxy"),
        (500, '{"error": "model requires more system memory (8 GiB) than is available"}', "smaller one"),
        (403, '{"error": {"code": "unsupported_country_region_territory"}}', "country or region"),
        (400, '{"error": {"code": "content_filter"}}', "Change the text"),
        (404, '{"error": {"message": "only supported in v1/responses"}}', "another of its APIs"),
        (503, '{"error": {"message": "Loading model"}}', "still loading"),
        (400, '{"error": {"message": "Unsupported parameter: seed"}}', "parameter"),
        (400, '{"error": {"message": "System role not supported"}}', "parameter"),
    ],
)
def test_the_advice_is_that_of_the_cause(status: int, body: str, words: str) -> None:
    advice = failure_of(status, body).advice
    assert words in advice
    assert "may be too long" not in advice


WRAPPED = {
    "object": {"error": {"message": "maximum context length is 8192", "code": 400}},
    "string": {"error": "maximum context length is 8192"},
    "array": [{"error": {"message": "maximum context length is 8192"}}],
    "no error key": {"choices": [], "error_type": "context_length_exceeded", "error_message": "too many"},
    "null choices": {"choices": None, "error_type": "bad_request", "error_message": "maximum context length"},
    "object error": {"object": "error", "message": "maximum context length is 8192", "code": 400},
    "detail": {"detail": "maximum context length is 8192"},
    "capitals": {"Error": {"Message": "maximum context length is 8192"}},
    "a capital": {"Message": "maximum context length is 8192"},
    "fault": {"fault": {"faultstring": "maximum context length is 8192"}},
    "err": {"err": "maximum context length is 8192"},
    "error_msg": {"error_code": 18, "error_msg": "maximum context length is 8192"},
    "beside the metadata": {"ResponseMetadata": {"Error": {"Message": "maximum context length is 8192"}}},
    "problem details": {"type": "about:blank", "title": "maximum context length is 8192", "status": 400},
    "in a choice": {"choices": [{"delta": {}, "error": {"message": "maximum context length is 8192"}}]},
    "type error": {"type": "error", "error": {"message": "prompt is too long"}},
}


@pytest.mark.parametrize("value", WRAPPED.values(), ids=WRAPPED.keys())
def test_a_failure_in_a_reply_is_known_however_it_is_wrapped(value: object) -> None:
    failure = failure_in(value)
    assert failure is not None
    assert failure.kind == "prompt-too-long"


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"delta": {"content": "error"}}]},
        {"choices": [], "error": None, "usage": {}},
        {"type": "message", "content": [{"type": "text", "text": "an error"}]},
        {"type": "ping"},
        {"choices": [{"delta": {"content": "a"}, "error": None}], "message": "ok"},
        {"choices": [], "status": 500},
        {"message": {"content": "x"}, "done": False},
    ],
)
def test_a_reply_is_no_failure(value: object) -> None:
    assert failure_in(value) is None


def test_the_vendors_words_are_reported_only_where_they_are_plain_identifiers() -> None:
    body = {"error": {"type": "invalid_request_error", "code": "model_not_found", "param": "messages[0].content"}}
    assert failure_of(404, json.dumps(body)).reported == {
        "type": "invalid_request_error",
        "code": "model_not_found",
        "param": "messages[0].content",
    }
    secret = {"error": {"type": "see https://x.y", "code": PLANTED_KEY, "param": "a b"}}
    assert failure_of(404, json.dumps(secret)).reported == {}
    assert failure_of(429, '{"error": {"code": 1113, "status": 429}}').reported == {"code": "1113"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sat, 28 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 28 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"retry-after": "20s"}, 20.0),
        ({"retry-after": "500ms"}, 0.5),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "2 seconds"}, 2.0),
        ({"retry-after": '"7"'}, 7.0),
        ({"retry-after": "7, 7"}, 7.0),
        ({"retry-after": "2026-11-28T10:00:30Z"}, 30.0),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "9999999"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_a_date_or_milliseconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, datetime(2026, 11, 28, 10, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ('{"error": {"details": [{"retryDelay": "35s"}]}}', 35.0),
        ('{"error": {"message": "Please try again in 20.5s."}}', 20.5),
        ('{"error": {"message": "Please try again in 250ms."}}', 0.25),
        ('{"error": {"message": "Please try again in 7m12.5s."}}', 432.5),
        ('{"error": {"message": "Please try again in 1h2m."}}', 3720.0),
        ('{"error": {"message": "Please retry after 2 minutes"}}', 120.0),
        ('{"error": {"message": "Please wait 12 seconds before retrying."}}', 12.0),
        ('{"error": {"message": "Try again in 20 milliseconds"}}', 0.02),
        ('{"error": {"retry_after": 9}}', 9.0),
        ('{"retryAfter": "9"}', 9.0),
        ('{"error": {"metadata": {"retry_after_seconds": 9}}}', 9.0),
        ('{"error": {"retry_after_ms": 900}}', 0.9),
        ('{"error": {"message": "Try again in a while"}}', None),
        ('{"error": {"message": "Loading model"}}', None),
    ],
)
def test_a_wait_in_the_words_is_known(body: str, wait: float | None) -> None:
    assert failure_of(429, body).wait == wait


def requests_of(upstream: FakeUpstream, *turns: Turn, retries: int = 9) -> tuple[int, UpstreamError]:
    upstream.script(*turns)

    async def call() -> None:
        async with open_registry(settings_for(upstream, max_upstream_bytes=1024)) as registry:
            answerer, model = await registry.find("openai:m")
            async for _ in answerer.stream(UpstreamCall((Message("user", "q"),), model, retries=retries)):
                pass

    with pytest.raises(UpstreamError) as caught:
        asyncio.run(call())
    return len(upstream.seen), caught.value


COSTS = {
    "key": (json_turn({"error": {"message": "Invalid API key"}}, status=401), 1),
    "key in a body": (json_turn({"error": {"message": "Invalid API key", "code": 401}}), 1),
    "too long in a stream": (events_turn({"error": {"message": "maximum context length", "code": 400}}, "[DONE]"), 1),
    "too long, half a text": (
        events_turn(*openai_deltas("Let me")[:1], {"error": {"code": "content_filter", "status": 400}}),
        1,
    ),
    "quota": (json_turn([{"error": {"code": 429, "message": "exceeded your current quota"}}], status=429), 1),
    "overloaded": (Turn(status=529), 5),
    "overloaded in a stream": (events_turn({"type": "error", "error": {"type": "overloaded_error"}}), 5),
    "gateway": (Turn(status=524, chunks=(b"<html>a timeout occurred</html>",)), 2),
    "cut": (Turn(chunks=(b'{"choices": [',), cut=True), 3),
    "web page": (Turn(chunks=(b"<!doctype html>",)), 1),
    "too large": (Turn(chunks=(b" " * 70_000,)), 1),
}


@pytest.mark.parametrize(("turn", "requests"), COSTS.values(), ids=COSTS.keys())
def test_one_failing_call_causes_no_more_requests_than_its_kind_allows(
    upstream: FakeUpstream, turn: Turn, requests: int
) -> None:
    count, fault = requests_of(upstream, turn)
    assert (count, fault.requests) == (requests, requests)
    assert fault.retryable == (requests > 1)


@pytest.mark.parametrize(("turn", "requests"), COSTS.values(), ids=COSTS.keys())
def test_a_call_with_a_key_is_retried_by_its_client_alone(
    client: httpx2.Client, upstream: FakeUpstream, turn: Turn, requests: int
) -> None:
    """The host's budget and the server's are no product: each POST is one request, and the last says that it was."""
    upstream.script(turn)
    key = {"Idempotency-Key": f"costs-{requests}/{id(turn)}"}
    count, retryable = 0, True
    while retryable:
        response = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers=key)
        retryable = response.json()["retryable"]
        count += 1
        assert len(upstream.seen) == count
    assert count == requests


def test_the_problem_and_the_log_hold_the_vendors_code_and_not_its_words(
    client: httpx2.Client, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    error = {"message": "secret words", "type": "invalid_request_error", "code": "model_not_found", "param": "model"}
    upstream.answer = lambda seen: (
        json_turn({"data": [{"id": "model-9"}]}) if seen.method == "GET" else json_turn({"error": error}, status=404)
    )
    problem = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}).json()
    assert problem["reported"] == {"type": "invalid_request_error", "code": "model_not_found", "param": "model"}
    assert "model_not_found" in problem["detail"]
    assert "model_not_found" in caplog.text
    assert "secret words" not in json.dumps(problem) + caplog.text


def test_the_nearest_names_are_said_where_the_upstream_refuses_a_model(
    patient: httpx2.Client, upstream: FakeUpstream
) -> None:
    listed = {"data": [{"id": "m-20250929"}, {"id": "other"}]}
    upstream.answer = lambda seen: json_turn(listed) if seen.method == "GET" else Turn(status=404)
    problem = patient.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}).json()
    assert problem["type"] == "/problems/upstream-model-unknown"
    assert "openai:m-20250929" in problem["detail"]


def test_a_failure_without_words_keeps_its_row() -> None:
    assert failure_of(418, "") == Failure(
        "call-refused", "It refused the request as it is. Choose another model, or check its base URL.", reported={}
    )
