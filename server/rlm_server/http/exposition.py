"""Exposition: `/metrics`, in the form that Prometheus reads.

In: the counts of `calls/metrics.py`. Out: their text, by the package prometheus-client (the extra `metrics`), which is
imported when it is first needed. Who may read it is the business of `security.py`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..calls.metrics import BOUNDS, Histogram, Metrics, Model, Series
from ..settings import Settings
from .problems import Problem

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from ..calls.model_call import Backend


async def metrics(request: Request) -> Response:
    """The counts since the start."""
    settings: Settings = request.app.state.settings
    backend: Backend = request.app.state.backend
    try:
        encoder = await asyncio.to_thread(_encoder, request.headers.get("accept", ""))
    except ModuleNotFoundError:
        raise Problem(
            "not-found", "Metrics need the package prometheus-client: pip install 'pyodide-rlm[metrics]', then restart."
        ) from None
    encode, media_type = encoder
    body = encode(_Collected(backend.watch.metrics, by_user=settings.metrics_by_user))
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def _encoder(accept: str) -> tuple[Any, str]:
    from prometheus_client.exposition import choose_encoder

    return choose_encoder(accept)


class _Collected:
    """The registry that the library asks for: it holds these counts and no others."""

    def __init__(self, metrics: Metrics, *, by_user: bool) -> None:
        self.metrics = metrics
        self.by_user = by_user

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        counted = self.metrics
        info = InfoMetricFamily("rlm_build", "The server.")
        info.add_metric([], {"version": __version__})
        yield info
        calls = "Calls to providers that are over, by outcome."
        yield self._counter("rlm_calls", calls, counted.calls, "outcome")
        tokens = "Tokens by kind, as providers report them; cached ones are a part of input."
        yield self._counter("rlm_tokens", tokens, counted.tokens, "kind")
        cost = "Cost in USD of the calls whose price is known."
        yield self._counter("rlm_cost_usd", cost, {(series, ""): usd for series, usd in counted.cost.items()})
        unpriced = "Answered calls whose price is unknown."
        yield self._counter("rlm_unpriced_calls", unpriced, {(series, ""): n for series, n in counted.unpriced.items()})
        under_way = GaugeMetricFamily("rlm_calls_in_flight", "Calls under way.", labels=Model._fields)
        for model, number in counted.in_flight.items():
            under_way.add_metric(model, number)
        yield under_way
        yield GaugeMetricFamily("rlm_prompts_waiting", "Prompts of batches that wait for a slot.", counted.waiting)
        yield _histogram("rlm_call_seconds", "Time of a call, retries included.", counted.seconds)
        yield _histogram("rlm_first_piece_seconds", "Time until a reply began.", counted.first_seconds)

    def _counter(self, name: str, text: str, counts: Mapping[tuple[Series, str], float], further: str = "") -> Metric:
        """A family of counters, summed over users unless they are wanted; `further` names a label after theirs."""
        from prometheus_client.core import CounterMetricFamily

        fields = Series._fields if self.by_user else Model._fields
        family = CounterMetricFamily(name, text, labels=[*fields, *filter(None, [further])])
        summed: Counter[tuple[str, ...]] = Counter()
        for (series, value), number in counts.items():
            summed[(*series[: len(fields)], *([value] if further else []))] += number  # type: ignore[assignment]
        for labels, number in summed.items():
            family.add_metric(labels, number)
        return family


def _histogram(name: str, text: str, histograms: Mapping[Model, Histogram]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=Model._fields)
    for model, histogram in histograms.items():
        family.add_metric(model, buckets=list(_cumulative(histogram.counts)), sum_value=histogram.total)
    return family


def _cumulative(counts: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
        total += count
        yield bound, total
