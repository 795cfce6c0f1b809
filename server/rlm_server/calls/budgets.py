"""Budgets: limits on calls, tokens and cost, for each run, for all since the server's start, and for a user's day.

In: the run of a call and a guess at its size, before it is made; its usage, after. Out: permission, or the
`Problem` that names the spent budget. A call counts from the moment it is let in, so that however many come at
once, no more are let in than the budget has; tokens and cost are guessed from the prompt until the reply reports them.

Requests that name no run share one. A call counts once, retries included; one whose upstream could not
be reached does not count. A failed call gives back its tokens; one that was broken off may have been paid for, and
keeps its guess. While the cost of a call that was made is unknown, a budget of cost lets no further one in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rlm_core.types import Json, Message, ModelUsage

from ..http.problems import Problem
from ..providers.images import IMAGE_TOKENS
from ..providers.upstream import UpstreamError
from ..settings import Settings

if TYPE_CHECKING:
    from .day_usage import DayUsage

MAX_RUNS = 100_000
"""Most runs that are remembered; the one unused for longest is forgotten first. All of them count for the start."""
BYTES_PER_TOKEN = 4
ONE_CALL = ModelUsage(1, cost=0.0)
Settle = Callable[[ModelUsage], None]


@dataclass(frozen=True, slots=True)
class Allowed:
    """One budget: `None` is no limit. `scope` is the word for it in the names of its settings."""

    scope: str
    calls: int | None
    tokens: int | None
    cost: float | None

    @property
    def limits_size(self) -> bool:
        """Whether it is worth guessing the size of a call."""
        return self.tokens is not None or self.cost is not None

    @property
    def is_limit(self) -> bool:
        """Whether anything is limited."""
        return self.calls is not None or self.limits_size


@dataclass(slots=True)
class Tally:
    """Usage of one budget, the guesses for calls under way included."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0

    def add(self, usage: ModelUsage, sign: int = 1) -> None:
        """Count `usage`, or take it back."""
        self.calls += sign * usage.calls
        self.tokens += sign * (usage.input_tokens + usage.output_tokens)
        self.cost += sign * (usage.cost or 0.0)
        self.unpriced += sign * (usage.calls if usage.cost is None else 0)


@dataclass(slots=True)
class Budgets:
    """The kinds of budget and the usage of each; that of days is in `days`."""

    run: Allowed
    start: Allowed
    day: Allowed
    days: DayUsage | None = None
    started: Tally = field(default_factory=Tally)
    runs: OrderedDict[str, Tally] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, settings: Settings, days: DayUsage | None = None) -> Budgets:
        """The budgets that `settings` give."""
        run = Allowed("run", settings.max_run_calls, settings.max_run_tokens, settings.max_run_cost)
        start = Allowed("start", settings.max_start_calls, settings.max_start_tokens, settings.max_start_cost)
        day = Allowed("day", settings.max_day_calls, settings.max_day_tokens, settings.max_day_cost)
        return cls(run, start, day, days)

    def with_limits_of(self, settings: Settings) -> Budgets:
        """The same usage under the limits of `settings`."""
        changed = Budgets.of(settings)
        return replace(self, run=changed.run, start=changed.start, day=changed.day)

    def admitted(self, user: str, run: str, guess: ModelUsage) -> AbstractAsyncContextManager[Settle]:
        """Let one call of `user` in `run` in, as `reserved` does; the day of `user` is counted too.

        Raises:
            Problem: a budget is spent, or the day cannot be counted.
        """
        if self.days is None or not self.day.is_limit:
            return _Entered(self.reserved(run, guess))
        return self._admitted_today(self.days, user, run, guess)

    @asynccontextmanager
    async def _admitted_today(self, days: DayUsage, user: str, run: str, guess: ModelUsage) -> AsyncIterator[Settle]:
        self._tallies(run, guess)  # a call that these refuse does not touch the day
        async with days.reserved(self.day, user, guess) as settle_day:
            with self.reserved(run, guess) as settle:

                def settle_all(usage: ModelUsage) -> None:
                    settle(usage)
                    settle_day(usage)

                yield settle_all

    @contextmanager
    def reserved(self, run: str, guess: ModelUsage) -> Iterator[Settle]:
        """Let one call of `run` in; call the yielded function with its usage.

        Args:
            guess: its least usage, as far as it is known; cost 0 where no price is known.

        Raises:
            Problem: a budget is spent.
        """
        tallies = self._tallies(run, guess)
        counted = guess

        def count(usage: ModelUsage) -> None:
            nonlocal counted
            for tally in tallies:
                tally.add(counted, -1)
                tally.add(usage)
            counted = usage

        for tally in tallies:
            tally.add(guess)
        try:
            yield count
        except UpstreamError as fault:
            count(usage_of_failure(fault))
            raise

    async def left(self, user: str) -> dict[str, Json] | None:
        """What is left of the day of `user`, `{"calls": {"used", "allowed", "left"}, ..., "until"}`; `None`: no limit.

        Raises:
            Problem: the usage cannot be read.
        """
        if self.days is None or not self.day.is_limit:
            return None
        tally, until = await self.days.tally(user)
        limited = {"calls": (tally.calls, self.day.calls), "tokens": (tally.tokens, self.day.tokens)}
        rows = {**limited, "cost": (round(tally.cost, 6), self.day.cost)}
        left: dict[str, Json] = {
            unit: {"used": used, "allowed": allowed, "left": max(0, round(allowed - used, 6))}
            for unit, (used, allowed) in rows.items()
            if allowed is not None
        }
        return {**left, "until": until}

    def guess(self, messages: Sequence[Message], images: int = 0) -> ModelUsage:
        """The least usage of a call with `messages` and so many images; sizes only where a budget limits them."""
        if not (self.run.limits_size or self.start.limits_size or self.day.limits_size):
            return ONE_CALL
        size = sum(len(message.content.encode(errors="surrogatepass")) for message in messages)
        return ModelUsage(1, size // BYTES_PER_TOKEN + 1 + images * IMAGE_TOKENS, cost=0.0)

    def _tallies(self, run: str, guess: ModelUsage) -> list[Tally]:
        tally = self.runs.setdefault(run, Tally())
        self.runs.move_to_end(run)
        while len(self.runs) > MAX_RUNS:
            self.runs.popitem(last=False)
        check_budget(self.start, self.started, guess)
        check_budget(self.run, tally, guess)
        return [self.started, tally]


class _Entered(AbstractAsyncContextManager[Settle]):
    """A block that waits for nothing, where one is wanted that may."""

    def __init__(self, block: AbstractContextManager[Settle]) -> None:
        self._block = block

    async def __aenter__(self) -> Settle:
        return self._block.__enter__()

    async def __aexit__(self, *fault: Any) -> bool | None:
        return self._block.__exit__(*fault)


def usage_of_failure(fault: UpstreamError) -> ModelUsage:
    """Usage of a call that failed."""
    return ModelUsage() if fault.kind == "unreachable" else ONE_CALL


def check_budget(allowed: Allowed, tally: Tally, guess: ModelUsage) -> None:
    """Let a call in.

    Raises:
        Problem: `guess` does not fit into the rest.
    """
    tokens, cost = guess.input_tokens + guess.output_tokens, guess.cost or 0.0
    if allowed.calls is not None and tally.calls >= allowed.calls:
        raise _spent(allowed, "calls", f"{tally.calls:,} of {allowed.calls:,} calls")
    if allowed.tokens is not None and not _fits(tally.tokens, tokens, allowed.tokens):
        numbers = f"{tally.tokens:,} of {allowed.tokens:,} tokens, and this call needs {tokens:,} or more"
        raise _spent(allowed, "tokens", numbers)
    if allowed.cost is not None and tally.unpriced:
        raise _unpriced(allowed, tally)
    if allowed.cost is not None and not _fits(tally.cost, cost, allowed.cost):
        numbers = f"${tally.cost:.4f} of ${allowed.cost:.4f}, and this call needs ${cost:.4f} or more"
        raise _spent(allowed, "cost", numbers)


def _fits(used: float, needed: float, allowed: float) -> bool:
    return used < allowed and used + needed <= allowed


def _spent(allowed: Allowed, unit: str, numbers: str) -> Problem:
    used, advice = {
        "run": ("This run has used", "or begin a new run"),
        "start": ("Since its start this server has used", "and start it again"),
        "day": ("Today you have used", "or wait for the next day (UTC)"),
    }[allowed.scope]
    setting = f"RLM_MAX_{allowed.scope}_{unit}".upper()
    return Problem("budget-spent", f"{used} {numbers}. Raise {setting}, {advice}.")


def _unpriced(allowed: Allowed, tally: Tally) -> Problem:
    setting = f"RLM_MAX_{allowed.scope}_COST".upper()
    return Problem(
        "budget-spent",
        f"{setting} is ${allowed.cost:.4f}, but the cost of {tally.unpriced:,} of {tally.calls:,} calls is unknown. "
        "Install the extra `prices`, ask a model with a known price, or limit calls or tokens instead.",
    )
