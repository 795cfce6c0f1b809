"""Prices: a cost is told, looked up, or unknown; never 0 because nobody knows."""

from __future__ import annotations

import sys
import types

import pytest

from rlm_core.types import ModelUsage, Reply
from rlm_server.providers.prices import load_prices
from tests.server.conftest import PLANTED_KEY, make_settings

KEYS = {"openai_api_key": PLANTED_KEY, "anthropic_api_key": PLANTED_KEY, "gemini_api_key": PLANTED_KEY}
USED = ModelUsage(1, 1000, 100, 400)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, int]]]:
    """A stand-in for genai-prices: a dollar for each input token of the model `known`."""
    asked: list[tuple[str, str, dict[str, int]]] = []

    def calc_price(usage: dict[str, int], model: str, *, provider_id: str) -> types.SimpleNamespace:
        asked.append((provider_id, model, usage))
        if model != "known":
            raise LookupError(model)
        return types.SimpleNamespace(total_price=usage["input_tokens"])

    module = types.ModuleType("genai_prices")
    module.Usage = dict  # type: ignore[attr-defined]
    module.calc_price = calc_price  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "genai_prices", module)
    return asked


def test_a_cost_is_looked_up_at_the_vendor(library: list[tuple[str, str, dict[str, int]]]) -> None:
    prices = load_prices(make_settings(**KEYS))
    assert [prices.cost(name, "known", USED) for name in ("openai", "anthropic", "gemini")] == [1000.0] * 3
    assert [vendor for vendor, _, _ in library] == ["openai", "anthropic", "google"]
    assert library[0][2] == {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 400}


def test_what_has_no_price_is_unknown(library: list[tuple[str, str, dict[str, int]]]) -> None:
    prices = load_prices(make_settings(**KEYS))
    assert [prices.cost(*names, USED) for names in (("openai", "new"), ("ollama", "known"), ("x", "y"))] == [None] * 3


def test_prices_of_a_vendor_are_not_those_of_another_address(library: list[tuple[str, str, dict[str, int]]]) -> None:
    prices = load_prices(make_settings(**KEYS, openai_base_url="http://127.0.0.1:1/v1"))
    assert prices.cost("openai", "known", USED) is None
    assert prices.cost("anthropic", "known", USED) == 1000


def test_a_cost_that_was_told_is_believed(library: list[tuple[str, str, dict[str, int]]]) -> None:
    prices = load_prices(make_settings(**KEYS))
    told = Reply("t", "openai:known", ModelUsage(1, 1000, 100, cost=0.5))
    assert prices.priced("openai", "known", told) == told
    plain = Reply("t", "openai:known", ModelUsage(1, 1000, 100))
    assert prices.priced("openai", "known", plain).usage == ModelUsage(1, 1000, 100, 0, 1000.0)


def test_without_the_package_costs_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert load_prices(make_settings(**KEYS)).cost("openai", "gpt-5-mini", USED) is None
