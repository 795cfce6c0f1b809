"""Limits (allowed) and Budget (used).

`Limits` is what the caller sets and never changes during a run; `Budget` counts what the run has used and raises
`LimitReached` when the two meet. The host and the server check again: this module is the worker's, and untrusted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from .errors import ConfigError, LimitReached
from .types import ModelUsage, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use.

    Attributes:
        max_iterations: replies of the root model, at least 1.
        max_output_chars: characters of one block's output that the model is shown, at least 200.
        max_seconds: wall-clock time of the run, or `None` for no limit.
        max_errors: consecutive iterations that ended in an error before the run ends, at least 1.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    max_iterations: int = 20
    max_output_chars: int = 20_000
    max_seconds: float | None = None
    max_errors: int = 5

    def __post_init__(self) -> None:
        for name, least in (("max_iterations", 1), ("max_output_chars", 200), ("max_errors", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{name} must be a whole number of at least {least}, not {value!r}.")
        seconds = self.max_seconds
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0):
            raise ConfigError(f"max_seconds must be a number above 0 or None, not {seconds!r}.")


LIMIT_NAMES = tuple(field.name for field in fields(Limits))


class Budget:
    """What a run has used, checked against `limits`.

    Args:
        limits: what is allowed.
        clock: seconds from any fixed point, monotonic.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.iterations = 0
        self.errors_in_a_row = 0
        self._clock = clock
        self._started = clock()
        self._usage: dict[str, ModelUsage] = {}

    @property
    def seconds(self) -> float:
        """Wall-clock time since the run began."""
        return self._clock() - self._started

    @property
    def usage(self) -> Usage:
        """Model name -> what it used so far; a copy."""
        return dict(self._usage)

    def begin_iteration(self) -> int:
        """Count one more iteration and return its number, from 1.

        Raises:
            LimitReached: `max_iterations` are used, or the time is up.
        """
        self.check_time()
        if self.iterations >= self.limits.max_iterations:
            raise _reached("max_iterations", "iteration", self.iterations, self.limits.max_iterations)
        self.iterations += 1
        return self.iterations

    def check_time(self) -> None:
        """Raise `LimitReached` when `max_seconds` have passed."""
        allowed = self.limits.max_seconds
        if allowed is not None and self.seconds >= allowed:
            raise _reached("max_seconds", "time", round(self.seconds, 1), allowed)

    def count_outcome(self, *, failed: bool) -> None:
        """Count an iteration's outcome; a success starts the count of consecutive errors again.

        Raises:
            LimitReached: `max_errors` iterations in a row failed.
        """
        self.errors_in_a_row = self.errors_in_a_row + 1 if failed else 0
        if self.errors_in_a_row >= self.limits.max_errors:
            raise _reached("max_errors", "consecutive error", self.errors_in_a_row, self.limits.max_errors)

    def add_usage(self, model: str, usage: ModelUsage) -> None:
        """Add what one reply used to `model`'s account."""
        self._usage[model] = self._usage.get(model, ModelUsage()) + usage


def _reached(limit: str, what: str, used: float, allowed: float) -> LimitReached:
    message = f"{what} limit reached: {used} of {allowed} used. Raise {limit}, or ask over a smaller context."
    return LimitReached(message, limit=limit, used=used, allowed=allowed)
