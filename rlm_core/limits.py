"""Limits (allowed) and Budget (used).

`Limits` is what the caller sets and never changes during a run; `Budget` counts what a run and the tree above it have
used and raises `LimitReached` when the two meet. The host and the server check again: this module is the worker's, and
untrusted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from .errors import ConfigError, LimitReached
from .types import ModelUsage, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use. `None` is no limit.

    Each run of a tree has these for itself: `max_iterations`, `max_errors`, `max_output_chars`, `max_prompt_chars`.
    The whole tree shares the others.

    Attributes:
        max_iterations: replies of the root model, at least 1.
        max_output_chars: characters of one block's output that the model is shown, at least 200.
        max_seconds: wall-clock time of the tree.
        max_block_seconds: time at work of one block, its sub-calls not counted; the host enforces it.
        max_errors: consecutive iterations that ended in an error before the run ends, at least 1.
        max_sub_calls: model calls made by model code, and child runs.
        max_depth: how deep runs may nest; at 1, the default, a child question is asked as a plain sub-call.
        max_concurrency: child runs that work at the same time, at least 1.
        max_input_tokens: of all calls; checked before each call, as a call's tokens are known only after it.
        max_output_tokens: of all calls, in the same way.
        max_cost: US dollars of all calls whose price is known, in the same way.
        max_prompt_chars: characters of one sub-call's prompt; a longer one is refused before the call.
        max_context_chars: characters of the context that may stand in calls, each counted once; the host enforces it.
        window_tokens: size of the root model's window.
        compact_at: share of that window at which the conversation so far is replaced by a summary, up to 1.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    max_iterations: int = 20
    max_output_chars: int = 20_000
    max_seconds: float | None = None
    max_block_seconds: float | None = 120.0
    max_errors: int = 5
    max_sub_calls: int | None = None
    max_depth: int = 1
    max_concurrency: int = 4
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_cost: float | None = None
    max_prompt_chars: int | None = None
    max_context_chars: int | None = None
    window_tokens: int = 128_000
    compact_at: float | None = 0.85

    def __post_init__(self) -> None:
        for name, least in _WHOLE.items():
            _check_whole(name, getattr(self, name), least)
        for name, least in _WHOLE_OR_NONE.items():
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), least, " or None")
        for name, most in _ABOVE_ZERO.items():
            _check_above_zero(name, getattr(self, name), most)


_WHOLE = {
    "max_iterations": 1,
    "max_output_chars": 200,
    "max_errors": 1,
    "max_depth": 1,
    "max_concurrency": 1,
    "window_tokens": 1_000,
}
_WHOLE_OR_NONE = {
    "max_sub_calls": 0,
    "max_input_tokens": 1,
    "max_output_tokens": 1,
    "max_prompt_chars": 1,
    "max_context_chars": 0,
}
_ABOVE_ZERO = {"max_seconds": math.inf, "max_block_seconds": math.inf, "max_cost": math.inf, "compact_at": 1.0}


def _check_whole(name: str, value: object, least: int, otherwise: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number of at least {least}{otherwise}, not {value!r}.")


def _check_above_zero(name: str, value: object, most: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        up_to = "" if most == math.inf else f" and up to {most:g}"
        raise ConfigError(f"{name} must be a number above 0{up_to} or None, not {value!r}.")


LIMIT_NAMES = tuple(field.name for field in fields(Limits))


class Budget:
    """What a run has used, checked against `limits`.

    Args:
        limits: what is allowed.
        clock: seconds from any fixed point, monotonic.
        parent: budget of the run that started this one; what the tree shares is counted at its root.

    Attributes:
        reached: the limit of the whole tree that was reached, at the root's budget; `None` before.
    """

    def __init__(
        self, limits: Limits, *, clock: Callable[[], float] = time.monotonic, parent: Budget | None = None
    ) -> None:
        self.limits = limits
        self.iterations = 0
        self.errors_in_a_row = 0
        self.sub_calls = 0
        self.reached: LimitReached | None = None
        self._parent = parent
        self._root: Budget = parent._root if parent else self
        self._clock = clock
        self._started = clock()
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
        """Model name -> what the run and its children used so far; a copy."""
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

    def check_tree(self) -> None:
        """Raise `LimitReached` when time, tokens or cost of the whole tree are used up."""
        self._root.check_time()
        total = sum(self._root._usage.values(), ModelUsage())
        self._check_spent("max_input_tokens", "input token", total.input_tokens)
        self._check_spent("max_output_tokens", "output token", total.output_tokens)
        self._check_spent("max_cost", "cost (USD)", self._root._known_cost)

    def check_time(self) -> None:
        """Raise `LimitReached` when `max_seconds` have passed since this run began."""
        allowed = self.limits.max_seconds
        if allowed is not None and self.seconds >= allowed:
            raise self._ended(_reached("max_seconds", "time", round(self.seconds, 1), allowed))

    def _check_spent(self, limit: str, what: str, used: float) -> None:
        allowed = getattr(self.limits, limit)
        if allowed is not None and used >= allowed:
            raise self._root._ended(_reached(limit, what, round(used, 9), allowed))

    def _ended(self, reached: LimitReached) -> LimitReached:
        """Remember, for the other runs of the tree, what ended it."""
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
        """Add what one reply used to `model`'s account, here and in the runs above."""
        self._usage[model] = self._usage.get(model, ModelUsage()) + usage
        self._known_cost += usage.cost or 0.0
        if self._parent:
            self._parent.add_usage(model, usage)


def _reached(limit: str, what: str, used: float, allowed: float, more: str = "") -> LimitReached:
    message = f"{what} limit reached: {used} of {allowed} used{more}. Raise {limit}, or ask over a smaller context."
    return LimitReached(message, limit=limit, used=used, allowed=allowed)
