"""Spans: a collector that OpenTelemetry's variables name receives each request and each call, and no text."""

from __future__ import annotations

import logging
import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.testclient import TestClient

from rlm_server.assets import Assets
from rlm_server.calls import spans
from rlm_server.http.app import create_app
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, openai_reply

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {
    "Origin": "http://127.0.0.1",
    "Idempotency-Key": "run/0",
    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
}


@pytest.fixture
def collector(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Bodies that the collector received; the fake upstream is both."""
    bodies: list[bytes] = []

    def answer(seen: Seen) -> Turn:
        if seen.path == "/v1/traces":
            bodies.append(seen.body)
            return Turn()
        fails = "planted-fault" in str(seen.json())
        return (
            json_turn({"error": {"message": "no"}}, status=400) if fails else json_turn(openai_reply("planted-reply"))
        )

    upstream.answer = answer
    for name in spans.SWITCHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", upstream.url)
    return bodies


def sent(bodies: list[bytes]) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_request_and_its_call_are_spans_of_the_callers_trace_without_text(
    upstream: FakeUpstream, assets: Assets, collector: list[bytes]
) -> None:
    with TestClient(create_app(settings_for(upstream), assets=assets), base_url="http://127.0.0.1") as client:
        client.post("/api/rlm", json={"prompt": "planted-prompt", "model": "openai:m"}, headers=HEADERS)
        client.get("/healthz")
    call, request = sorted(sent(collector), key=lambda span: span.kind, reverse=True)
    assert {span.trace_id.hex() for span in (call, request)} == {TRACE}
    assert (call.name, call.parent_span_id) == ("chat m", request.span_id)
    told = {pair.key: pair.value.string_value or pair.value.int_value for pair in call.attributes}
    usage = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2}
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
    assert told == {**names, **usage, "rlm.run": "run"}
    assert b"pyodide-rlm" in collector[0]
    assert b"planted" not in b"".join(collector)


def test_a_failed_call_is_an_error_with_its_kind(
    upstream: FakeUpstream, assets: Assets, collector: list[bytes]
) -> None:
    with TestClient(create_app(settings_for(upstream), assets=assets), base_url="http://127.0.0.1") as client:
        client.post("/api/rlm", json={"prompt": "planted-fault", "model": "openai:m"}, headers=HEADERS)
    [call] = [span for span in sent(collector) if span.kind == Span.SPAN_KIND_CLIENT]
    assert call.status.code == Status.STATUS_CODE_ERROR
    assert call.status.message in {pair.value.string_value for pair in call.attributes if pair.key == "error.type"}
    assert b"planted" not in b"".join(collector)


def test_there_are_none_unless_they_are_asked_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    assert spans.Spans.of({}) is None
    for name, value in spans.SWITCHES.items():
        assert spans.Spans.of({**asked, name: value}) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING):
        assert spans.Spans.of(asked) is None
    assert "pip install 'pyodide-rlm[otel]'" in caplog.text
