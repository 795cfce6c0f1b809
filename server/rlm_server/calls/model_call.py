"""Desk: one request's way to its model.

In: a model's name and who asks. Out: replies, each within the budgets, kept where the request asks for that, and with
its cost where that is known. Every call that is paid for passes through `_paid`. How a reply is written on the wire is
`api.py`'s business, and HTTP to a vendor that of `providers/`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from rlm_core.errors import ProviderError
from rlm_core.types import Message, ModelUsage, Reply

from ..http.problems import Problem, internal_problem, problem_of
from ..http.wire import Batch, check_prompt
from .budgets import Budgets
from .in_flight import Flights, Pieces, Ticket

if TYPE_CHECKING:
    from ..providers.upstream import Upstream
    from .registry import Registry

logger = logging.getLogger("rlm_server")
Messages: TypeAlias = tuple[Message, ...]
Outcome: TypeAlias = Reply | Problem
Deliver: TypeAlias = Callable[[int, Outcome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Office:
    """What all desks share, from the server's start to its end."""

    registry: Registry
    budgets: Budgets
    flights: Flights
    concurrency: int

    async def desk(self, model: str | None, ticket: Ticket | None) -> Desk:
        """Open a desk for one request.

        Raises:
            Problem: nobody answers for `model`.
        """
        upstream, name = await self.registry.find(model)
        return Desk(self, upstream, name, ticket)


@dataclass(slots=True)
class Desk:
    """One request's way to its model. `paid` is what the calls that it made have used; a kept reply adds nothing."""

    office: Office
    upstream: Upstream
    name: str
    ticket: Ticket | None
    paid: ModelUsage = field(default_factory=ModelUsage)

    @property
    def model(self) -> str:
        """`"provider:name"`."""
        return f"{self.upstream.name}:{self.name}"

    async def answer(self, messages: Messages, *, nth: int = 0) -> Outcome:
        """One reply; `nth` of the equal prompts of a batch, from 0."""
        return await outcome_of(_last(self._pieces(messages, nth, self._whole)))

    async def answer_items(self, batch: Batch, deliver: Deliver) -> None:
        """Answer every prompt, `concurrency` at a time, and deliver each outcome as it comes."""
        seen: Counter[str] = Counter()
        waiting = iter(enumerate(batch.prompts))

        async def work() -> None:
            for index, prompt in waiting:
                nth, seen[prompt] = seen[prompt], seen[prompt] + 1
                await deliver(index, await self._answer_prompt(prompt, nth))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.office.concurrency, len(batch.prompts))):
                group.create_task(work())

    async def answer_in_pieces(self, messages: Messages, write: Callable[[str], Awaitable[None]]) -> Outcome:
        """One reply, after its text was written as it came."""
        return await outcome_of(_last(self._pieces(messages, 0, self._streamed), write))

    async def _answer_prompt(self, prompt: str, nth: int) -> Outcome:
        try:
            check_prompt(prompt)
        except Problem as problem:
            return problem
        return await self.answer((Message("user", prompt),), nth=nth)

    def _pieces(self, messages: Messages, nth: int, call: Callable[[Messages], Pieces]) -> Pieces:
        if self.ticket is None:
            return self._paid(messages, call)
        key = self.ticket.key(self.model, messages, nth)
        return self.office.flights.join(key, lambda: self._paid(messages, call))

    async def _paid(self, messages: Messages, call: Callable[[Messages], Pieces]) -> Pieces:
        """Make the call, within the budgets."""
        office, prices = self.office, self.office.registry.prices
        guess = office.budgets.guess(messages)
        likely = prices.cost(self.upstream.name, self.name, guess)
        run = self.ticket.run if self.ticket else ""
        with office.budgets.reserved(run, replace(guess, cost=likely or 0.0)) as settle:
            async with aclosing(call(messages)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Reply):
                        piece = prices.priced(self.upstream.name, self.name, piece)
                        settle(piece.usage)
                        self.paid += piece.usage
                    yield piece

    async def _whole(self, messages: Messages) -> AsyncGenerator[str | Reply, None]:
        yield await self.upstream.complete(messages, self.name)

    def _streamed(self, messages: Messages) -> Pieces:
        return self.upstream.stream(messages, self.name)


async def outcome_of(call: Awaitable[Reply]) -> Outcome:
    """Await `call`; a failure becomes the problem that tells of it, a fault of ours is logged as well."""
    try:
        return await call
    except Problem as problem:
        return problem
    except ProviderError as fault:
        return problem_of(fault)
    except Exception:
        logger.exception("a model call failed by a fault of ours")
        return internal_problem()


async def _ignore(text: str) -> None:
    pass


async def _last(pieces: Pieces, write: Callable[[str], Awaitable[None]] = _ignore) -> Reply:
    """The reply that ends `pieces`; its text is written as it comes."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Reply):
                return piece
            await write(piece)
    raise AssertionError("a reply ended without its end")
