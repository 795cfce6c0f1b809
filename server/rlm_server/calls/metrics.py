"""Metrics: counts of calls, tokens, cost and time, by provider, model and user.

In: the record of each call. Out: plain numbers, which `http/exposition.py` renders for Prometheus. Names of models and
users come with requests, so their number is bounded: those beyond it count as `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .call_record import CallRecord

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the buckets of a histogram, in seconds; one without a bound follows."""
MOST_MODELS = 100
MOST_SERIES = 1_000
"""Most different triples of provider, model and user."""
OTHER = "other"


class Model(NamedTuple):
    """Labels of a model."""

    provider: str
    model: str


class Series(NamedTuple):
    """Labels of counts by user."""

    provider: str
    model: str
    user: str


@dataclass(slots=True)
class Histogram:
    """Counts of times, by bucket, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Metrics:
    """All counts since the start.

    Attributes:
        calls: by series and outcome.
        tokens: by series and kind (`input`, `output`; `cached` is a part of `input`).
        cost: USD, where it is known; `unpriced` counts the answered calls where it is not.
        in_flight: calls under way.
        waiting: prompts of batches that wait for a slot.
    """

    calls: Counter[tuple[Series, str]] = field(default_factory=Counter)
    tokens: Counter[tuple[Series, str]] = field(default_factory=Counter)
    cost: dict[Series, float] = field(default_factory=dict)
    unpriced: Counter[Series] = field(default_factory=Counter)
    in_flight: Counter[Model] = field(default_factory=Counter)
    seconds: dict[Model, Histogram] = field(default_factory=dict)
    first_seconds: dict[Model, Histogram] = field(default_factory=dict)
    waiting: int = 0
    _models: set[Model] = field(default_factory=set)
    _series: set[Series] = field(default_factory=set)

    def begin(self, provider: str, model: str) -> Model:
        """Count a call as under way, until `end` is called with its labels."""
        labels = self._model(provider, model)
        self.in_flight[labels] += 1
        return labels

    def end(self, labels: Model) -> None:
        """Count a call as under way no more."""
        self.in_flight[labels] -= 1

    @contextmanager
    def waiting_for(self, prompts: int) -> Iterator[Callable[[], None]]:
        """Count `prompts` as waiting during the block; the yielded function takes one off."""
        left = prompts
        self.waiting += prompts

        def begin() -> None:
            nonlocal left
            left -= 1
            self.waiting -= 1

        try:
            yield begin
        finally:
            self.waiting -= left

    def count(self, record: CallRecord) -> None:
        """Count a call that is over."""
        model = self._model(record.provider, record.model)
        series = self._of_user(model, record.user)
        usage = record.usage
        self.calls[series, record.outcome] += 1
        self.tokens[series, "input"] += usage.input_tokens
        self.tokens[series, "output"] += usage.output_tokens
        self.tokens[series, "cached"] += usage.cached_tokens
        self.cost[series] = self.cost.get(series, 0.0) + (usage.cost or 0.0)
        self.unpriced[series] += usage.calls if usage.cost is None else 0
        self.seconds.setdefault(model, Histogram()).add(record.seconds)
        if record.first_seconds is not None:
            self.first_seconds.setdefault(model, Histogram()).add(record.first_seconds)

    def _model(self, provider: str, name: str) -> Model:
        """The labels, in characters that can be encoded."""
        model = Model(provider, name.encode(errors="replace").decode())
        if model not in self._models and len(self._models) >= MOST_MODELS:
            return Model(provider, OTHER)
        self._models.add(model)
        return model

    def _of_user(self, model: Model, user: str) -> Series:
        series = Series(*model, user)
        if series not in self._series and len(self._series) >= MOST_SERIES:
            return Series(*model, OTHER)
        self._series.add(series)
        return series
