"""Prices: the cost of a call, where its provider does not report it.

In: a provider, a model and its usage. Out: USD, or `None` where no price is known; never 0 for want of one.
The prices are those of the package genai-prices (the extra `prices`), as published by the vendors: they are applied
only to the vendors' own addresses. A provider of the file of `RLM_CONFIG` has the prices that stand there. Without
either costs are unknown.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from rlm_core.types import ModelUsage, Reply

from ..provider_file import ProviderFile
from ..settings import Settings

VENDORS = {"anthropic": "anthropic", "gemini": "google", "openai": "openai"}
"""Our names of the providers -> those of genai-prices."""
Calculate: TypeAlias = Callable[[str, str, ModelUsage], float]
"""Vendor, model, usage -> USD; raises LookupError where it knows no price."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of `vendors` (our name -> theirs), by `calculate`; those of the providers' `file` go first."""

    calculate: Calculate
    vendors: dict[str, str]
    file: ProviderFile = field(default_factory=ProviderFile)

    def cost(self, provider: str, model: str, usage: ModelUsage) -> float | None:
        """USD for `usage` of `model`, or `None`."""
        price = self.file.price(provider, model)
        if price is not None:
            return price.cost(usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        vendor = self.vendors.get(provider)
        if vendor is None:
            return None
        try:
            return self.calculate(vendor, model, usage)
        except LookupError:
            return None

    def priced(self, provider: str, model: str, reply: Reply) -> Reply:
        """`reply` with its cost, where that is known."""
        cost = self.cost(provider, model, reply.usage) if reply.usage.cost is None else None
        return reply if cost is None else replace(reply, usage=replace(reply.usage, cost=cost))


def load_prices(settings: Settings) -> Prices:
    """The prices for the configured providers; reading them takes a tenth of a second, once."""
    configured = {name for name in settings.configured_providers() if settings.is_vendors_own(name)}
    vendors = {name: vendor for name, vendor in VENDORS.items() if name in configured}
    calculate = _genai_prices() if vendors else None
    file = settings.config or ProviderFile()
    return Prices(_no_price, {}, file) if calculate is None else Prices(calculate, vendors, file)


def _no_price(vendor: str, model: str, usage: ModelUsage) -> float:
    raise LookupError(vendor, model)


def _genai_prices() -> Calculate | None:
    try:
        library = importlib.import_module("genai_prices")
    except ModuleNotFoundError:
        return None

    def calculate(vendor: str, model: str, usage: ModelUsage) -> float:
        used = library.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens,
        )
        return float(library.calc_price(used, model, provider_id=vendor).total_price)

    return calculate
