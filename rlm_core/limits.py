"""Limits (allowed) and Budget (used).

`Limits` are set by the caller and never change during a run; `Budget` counts the use of a run and of the tree above it,
and raises `LimitReached` when the two meet. The host and the server check again: this module is the worker's, and
untrusted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

from .errors import ConfigError, LimitReached
from .types import ModelUsage, Usage

BYTES_PER_TOKEN = 4
"""Estimate for a token of any language, in bytes of UTF-8."""
IMAGE_TOKENS = 1_600
"""Estimate for a picture of the size that models make use of."""


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """Facts of one limit, from which each front end makes its own option.

    Attributes:
        name: the field of `Limits`.
        option: the option in JavaScript; in kebab case the flag of the command.
        default: value where none is set; `None` is no limit.
        least: least value of a whole number; any other number has to be above it.
        most: greatest value, `None` for any.
        whole: whether it is a whole number.
        off: whether `false` (0 in the command) switches it off.
        scale: the option's value for one unit here: 1,000, as JavaScript has milliseconds where Python has seconds.
        unit: noun of one, in the plural.
        of: the rest of its description: `f"{unit} {of}"`.
    """

    name: str
    option: str
    default: float | None
    least: int
    most: float | None
    whole: bool
    off: bool
    scale: int
    unit: str
    of: str


def _limit(default: float | None, unit: str, of: str, *, least: int = 1, **facts: Any) -> Any:
    """A field of `Limits`; `facts` are those of `LimitFacts` that are unlike most."""
    return field(default=default, metadata={"unit": unit, "of": of, "least": least, **facts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a run. `None` is no limit.

    Each run of a tree has these for itself: `max_iterations`, `max_errors`, `max_output_chars`, `max_prompt_chars`,
    `window_tokens`, `compact_at`. The whole tree shares the others. The host alone enforces `max_block_seconds` and
    `max_context_chars`. Tokens and cost are checked before each call, as a call's are known only after it.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    max_iterations: int = _limit(20, "replies", "of the root model")
    max_output_chars: int = _limit(20_000, "characters", "of one block's output that the model is shown", least=200)
    max_seconds: float | None = _limit(
        None, "seconds", "of the whole tree of runs", least=0, option="maxTimeout", scale=1_000
    )
    max_block_seconds: float | None = _limit(
        120.0, "seconds", "of one block at work, its sub-calls not counted", least=0, option="blockTimeout", scale=1_000
    )
    max_errors: int = _limit(5, "iterations", "in a row that end in an error")
    max_sub_calls: int | None = _limit(None, "model calls", "by code, and child runs, in the whole tree", least=0)
    max_depth: int = _limit(1, "levels", "of runs; at 1 a child question is a plain sub-call")
    max_concurrency: int = _limit(4, "child runs", "that work at the same time")
    max_input_tokens: int | None = _limit(None, "tokens", "of all prompts in the tree; once used, no call begins")
    max_output_tokens: int | None = _limit(None, "tokens", "of all replies in the tree; once used, no call begins")
    max_cost: float | None = _limit(None, "US dollars", "of all calls whose price is known", least=0)
    max_prompt_chars: int | None = _limit(None, "characters", "of one sub-call's prompt; a longer one is refused")
    max_context_chars: int | None = _limit(
        None, "characters", "of the context that may leave in calls, each counted once for each destination", least=0
    )
    window_tokens: int = _limit(
        128_000, "tokens", "of the root model's window, where its provider does not tell it", least=1_000
    )
    compact_at: float | None = _limit(
        0.85, "share", "of the window at which the conversation becomes a summary", least=0, most=1, off=True
    )

    def __post_init__(self) -> None:
        for facts in LIMITS:
            _check(facts, getattr(self, facts.name), or_none=facts.name in _NULLABLE)


def _facts(limit: Field[Any]) -> LimitFacts:
    usual: dict[str, Any] = {"option": _camel_case(limit.name), "most": None, "off": False, "scale": 1}
    whole = str(limit.type).startswith("int")
    return LimitFacts(name=limit.name, whole=whole, **{**usual, "default": limit.default, **limit.metadata})


def _camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


LIMITS = tuple(_facts(limit) for limit in fields(Limits))
"""All limits; `worker/wire/protocol.js` has the same table, generated from it."""
_NULLABLE = frozenset(limit.name for limit in fields(Limits) if str(limit.type).endswith("None"))


def _check(facts: LimitFacts, value: object, *, or_none: bool) -> None:
    if value is None and or_none:
        return
    if facts.whole:
        fits = isinstance(value, int) and value >= facts.least
        must = f"a whole number of at least {facts.least}"
    else:
        most = math.inf if facts.most is None else facts.most
        fits = isinstance(value, int | float) and facts.least < value <= most
        must = f"a number above {facts.least}" + ("" if facts.most is None else f" and up to {most:g}")
    if not fits or isinstance(value, bool):
        raise ConfigError(f"{facts.name} must be {must}{' or None' if or_none else ''}, not {value!r}.")


_OF_THE_HOST = {
    "max_block_seconds": "no block is ended before its time",
    "max_context_chars": "nothing counts the context's characters in calls",
}
"""Limits that only the browser's host keeps, and why they have no effect here."""


def check_kept(limits: Limits) -> None:
    """Raise `ConfigError` where a limit was set that would not act."""
    for name, why in _OF_THE_HOST.items():
        if getattr(limits, name) not in (None, getattr(Limits(), name)):
            raise ConfigError(f"{name}: in rlm_core.run {why}. Leave it out, or run in the browser (BrowserRLM).")


_SPENDING = ("max_input_tokens", "max_output_tokens", "max_cost")


class Budget:
    """Use of a run so far, checked against `limits`.

    Args:
        limits: bounds of the run.
        clock: seconds from any fixed point, monotonic.
        parent: budget of the run that started this one; limits of the whole tree are counted at its root.
        needs_prices: whether a reply of unknown cost ends a run with `max_cost`; in the browser the host decides it.

    Attributes:
        reached: the limit of the whole tree that was reached, at the root's budget; `None` before.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        parent: Budget | None = None,
        needs_prices: bool = False,
    ) -> None:
        self.limits = limits
        self.needs_prices = needs_prices
        self.iterations = 0
        self.errors_in_a_row = 0
        self.sub_calls = 0
        self.reached: LimitReached | None = None
        self._parent = parent
        self._root: Budget = parent._root if parent else self
        self._clock = clock
        self._started = clock()
        self._bounds_spending = any(getattr(limits, name) is not None for name in _SPENDING)
        self._usage: dict[str, ModelUsage] = {}
        self._known_cost = 0.0

    def child(self) -> Budget:
        """The budget of a child run."""
        return Budget(self.limits, clock=self._clock, parent=self)

    @property
    def root(self) -> Budget:
        """The budget of the root run."""
        return self._root

    @property
    def seconds(self) -> float:
        """Wall-clock time since the run began."""
        return self._clock() - self._started

    @property
    def usage(self) -> Usage:
        """Model name -> use of the run and its children so far; a copy."""
        return dict(self._usage)

    def begin_iteration(self) -> int:
        """Count one more iteration and return its number, from 1.

        Raises:
            LimitReached: `max_iterations` are used, or a limit of the tree is reached.
        """
        self.check_tree()
        if self.iterations >= self.limits.max_iterations:
            raise _reached("max_iterations", "iteration", self.iterations, self.limits.max_iterations)
        self.iterations += 1
        return self.iterations

    def begin_sub_calls(self, count: int) -> None:
        """Count `count` sub-calls that are about to be made; all of them or none.

        Raises:
            LimitReached: they are more than are left, or another limit of the tree is reached.
        """
        self.check_tree()
        root, allowed = self._root, self.limits.max_sub_calls
        if allowed is not None and root.sub_calls + count > allowed:
            more = f" and {count} more asked for" if root.sub_calls < allowed else ""
            raise root._ended(_reached("max_sub_calls", "sub-call", root.sub_calls, allowed, more))
        root.sub_calls += count

    def sub_calls_left(self, wanted: int) -> int:
        """How many of `wanted` further sub-calls the limit allows."""
        allowed = self.limits.max_sub_calls
        return wanted if allowed is None else max(0, min(wanted, allowed - self._root.sub_calls))

    def check_tree(self) -> None:
        """Raise `LimitReached` when time, tokens or cost of the whole tree are used up."""
        self._root.check_time()
        if self._bounds_spending:
            self._check_spending()

    def _check_spending(self) -> None:
        total = sum(self._root._usage.values(), ModelUsage())
        self._check_spent("max_input_tokens", "input token", total.input_tokens)
        self._check_spent("max_output_tokens", "output token", total.output_tokens)
        self._check_spent("max_cost", "cost (USD)", self._root._known_cost)
        if self._root.needs_prices and total.calls and total.cost is None and self.limits.max_cost is not None:
            raise self._root._ended(_unpriced(self._root))

    def check_time(self) -> None:
        """Raise `LimitReached` when `max_seconds` have passed since this run began."""
        allowed = self.limits.max_seconds
        if allowed is not None and self.seconds >= allowed:
            raise self._ended(_reached("max_seconds", "time", round(self.seconds, 1), allowed))

    def _check_spent(self, limit: str, noun: str, used: float) -> None:
        allowed = getattr(self.limits, limit)
        if allowed is not None and used >= allowed:
            raise self._root._ended(_reached(limit, noun, round(used, 9), allowed))

    def _ended(self, reached: LimitReached) -> LimitReached:
        """Remember, for the other runs of the tree, the limit that ended it."""
        self.reached = self.reached or reached
        return reached

    def count_outcome(self, *, failed: bool) -> None:
        """Count an iteration's outcome; a success starts the count of consecutive errors again.

        Raises:
            LimitReached: `max_errors` iterations in a row failed.
        """
        self.errors_in_a_row = self.errors_in_a_row + 1 if failed else 0
        if self.errors_in_a_row >= self.limits.max_errors:
            raise _reached("max_errors", "consecutive error", self.errors_in_a_row, self.limits.max_errors)

    def add_usage(self, model: str, usage: ModelUsage) -> None:
        """Add one reply's usage to `model`'s account, here and in the runs above."""
        before = self._usage.get(model)
        self._usage[model] = usage if before is None else before + usage
        self._known_cost += usage.cost or 0.0
        if self._parent:
            self._parent.add_usage(model, usage)


def _unpriced(budget: Budget) -> LimitReached:
    model = next(model for model, used in budget.usage.items() if used.calls and used.cost is None)
    message = (
        f"max_cost cannot be kept: the cost of a reply of {model} is unknown. Have the provider report it in "
        "`Reply.usage.cost`, or limit tokens instead."
    )
    return LimitReached(message, limit="max_cost", used=budget._known_cost, allowed=budget.limits.max_cost or 0.0)


def _reached(limit: str, noun: str, used: float, allowed: float, more: str = "") -> LimitReached:
    message = f"{noun} limit reached: {used} of {allowed} used{more}. Raise {limit}, or ask over a smaller context."
    return LimitReached(message, limit=limit, used=used, allowed=allowed)
