"""Spans: each request and each call to a provider, for OpenTelemetry, where its own variables name a collector.

In: `OTEL_EXPORTER_OTLP_ENDPOINT` and the rest of OpenTelemetry's variables; the record of a call. Out: spans, by the
packages of the extra `otel`: one of the request (which continues the caller's trace), and within it one for each call,
named and described by the conventions for generative AI. No text of a prompt or a reply is in them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .call_record import CallRecord

logger = logging.getLogger("rlm_server")
COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SWITCHES = {"OTEL_TRACES_EXPORTER": "none", "OTEL_SDK_DISABLED": "true"}
SERVICE = "pyodide-rlm"
NOT_TRACED = "healthz,readyz,metrics,api/rlm/socket"
"""The calls over the socket are requests of their own."""


class Spans:
    """The spans of one server.

    Args:
        provider: where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("rlm_server")

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Spans | None:
        """Those that the variables of OpenTelemetry ask for; a missing extra is logged."""
        is_off = any(environment.get(name, "").lower() == value for name, value in SWITCHES.items())
        if is_off or not any(environment.get(name) for name in COLLECTOR):
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as fault:
            logger.warning(json.dumps({"spans": "none", "reason": f"{fault}: pip install 'pyodide-rlm[otel]'"}))
            return None
        named = bool(environment.get("OTEL_SERVICE_NAME"))
        provider = TracerProvider(resource=Resource.create({} if named else {SERVICE_NAME: SERVICE}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def around(self, app: ASGIApp) -> ASGIApp:
        """`app` with a span for each request."""
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        return OpenTelemetryMiddleware(
            app, tracer_provider=self._provider, excluded_urls=NOT_TRACED, exclude_spans=["receive", "send"]
        )

    @contextmanager
    def of_call(self, record: CallRecord) -> Iterator[None]:
        """A span while the block makes the call of `record`, which is whole at the end of the block."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        with self._tracer.start_as_current_span(
            f"chat {record.model}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            finally:
                span.set_attributes({name: value for name, value in _attributes(record).items() if value != ""})
                if not record.is_answered:
                    span.set_status(Status(StatusCode.ERROR, record.outcome))
                    span.set_attribute("error.type", record.outcome)

    def close(self) -> None:
        """Send the spans that wait."""
        self._provider.shutdown()


def _attributes(record: CallRecord) -> dict[str, str | int | float]:
    spent = {} if record.usage.cost is None else {"rlm.cost_usd": record.usage.cost}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": record.provider,
        "gen_ai.request.model": record.model,
        "gen_ai.usage.input_tokens": record.usage.input_tokens,
        "gen_ai.usage.output_tokens": record.usage.output_tokens,
        "enduser.id": record.user,
        "rlm.run": record.run,
        **spent,
    }
