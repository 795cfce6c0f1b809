"""Limits and the budget that is measured against them."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_core.errors import ConfigError, LimitReached
from rlm_core.limits import LIMITS, Budget, LimitFacts, Limits
from rlm_core.types import ModelUsage


def test_the_defaults() -> None:
    assert Limits() == Limits(max_iterations=20, max_output_chars=20_000, max_seconds=None, max_errors=5)


def limits(limit: LimitFacts, value: float) -> Limits:
    values: dict[str, Any] = {limit.name: value}
    return Limits(**values)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_the_table_says_which_values_a_limit_takes(limit: LimitFacts) -> None:
    step = 1 if limit.whole else 0.25
    smallest = limit.least if limit.whole else limit.least + step
    assert getattr(limits(limit, smallest), limit.name) == smallest
    too_small = limit.least - 1 if limit.whole else limit.least
    with pytest.raises(ConfigError, match=f"{limit.name} must be .* {limit.least}"):
        limits(limit, too_small)
    if limit.most is not None:
        with pytest.raises(ConfigError, match=f"{limit.name} must be .* up to {limit.most}"):
            limits(limit, limit.most + step)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("max_iterations", value) for value in (0, -1, 1.5, "3", None, True)],
        *[("max_output_chars", value) for value in (199, 0, "x", None)],
        *[("max_errors", value) for value in (0, -1, None)],
        *[("max_seconds", value) for value in (0, -1, "x", True)],
    ],
)
def test_an_impossible_limit_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_iterations_are_counted_from_one_up_to_the_limit() -> None:
    budget = Budget(Limits(max_iterations=2))
    assert [budget.begin_iteration(), budget.begin_iteration()] == [1, 2]
    with pytest.raises(LimitReached, match=r"iteration limit reached: 2 of 2 used\. Raise max_iterations") as caught:
        budget.begin_iteration()
    assert (caught.value.limit, caught.value.used, caught.value.allowed) == ("max_iterations", 2, 2)
    assert budget.iterations == 2


def test_time_is_up_when_it_is_up() -> None:
    budget = Budget(Limits(max_seconds=2.5), clock=iter([10.0, 11.0, 12.5, 12.5, 12.5]).__next__)
    budget.check_time()
    with pytest.raises(LimitReached, match=r"time limit reached: 2\.5 of 2\.5 used\. Raise max_seconds"):
        budget.begin_iteration()


def test_only_errors_in_a_row_count() -> None:
    budget = Budget(Limits(max_errors=2))
    for failed in (True, False, True, False):
        budget.count_outcome(failed=failed)
    budget.count_outcome(failed=True)
    with pytest.raises(LimitReached, match="consecutive error limit reached: 2 of 2 used"):
        budget.count_outcome(failed=True)


def test_usage_adds_up_for_each_model() -> None:
    budget = Budget(Limits())
    budget.add_usage("a", ModelUsage(1, 10, 5))
    budget.add_usage("b", ModelUsage(1, 1, 1))
    budget.add_usage("a", ModelUsage(2, 1, 0))
    assert budget.usage == {"a": ModelUsage(3, 11, 5), "b": ModelUsage(1, 1, 1)}
