"""Model calls of one HTTP request.

In: a model's name and an idempotency key. Out: replies within the budgets, kept under that key, with their cost where
it is known. Every paid call passes through `_paid`. The wire form of a reply is `api.py`'s business, HTTP to a vendor
that of `providers/`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from rlm_core.errors import ProviderError
from rlm_core.types import Json, Message, ModelUsage, Reply

from ..http.problems import Problem, internal_problem, problem_of
from ..http.wire import Batch, Conversation, Wanted, check_prompt
from ..providers.images import Images
from ..providers.upstream import ModelOptions, Pieces, UpstreamCall, UpstreamError
from .budgets import Budgets
from .call_record import CallRecord, CallWatch
from .in_flight import IdempotencyKey, InFlight, stopped_error

if TYPE_CHECKING:
    from ..providers.upstream import Upstream
    from .registry import Registry

logger = logging.getLogger("rlm_server")
Messages: TypeAlias = tuple[Message, ...]
Schema: TypeAlias = Mapping[str, Json]
Outcome: TypeAlias = Reply | Problem
Deliver: TypeAlias = Callable[[int, Outcome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts that all model requests share, for the life of the server.

    Attributes:
        askers: run of the model endpoint, by its name in the keys of its calls -> the user who asked. Its calls are
            made by the server's own page, and count as that user's. The names are known to server and asker alone.
    """

    registry: Registry
    budgets: Budgets
    in_flight: InFlight
    concurrency: int
    retries: int
    watch: CallWatch = field(default_factory=CallWatch)
    askers: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def asked_by(self, user: str, run: str) -> Iterator[None]:
        """Have the calls of `run` be those of `user` until the block ends."""
        self.askers[run] = user
        try:
            yield
        finally:
            del self.askers[run]

    async def request(self, wanted: Wanted, key: IdempotencyKey | None, *, user: str = "") -> ModelRequest:
        """Begin the model calls of one HTTP request of `user`, or of the user whose run they belong to.

        Raises:
            Problem: nobody answers for its model, or the model does not have one of its options, or takes no images.
        """
        options, schema = wanted.options, wanted.schema
        user = self.askers.get(key.run, user) if key else user
        upstream, name = await self.registry.find(wanted.model, user)
        if any(wanted.images) and self.registry.takes_images(upstream.name, name) is False:
            detail = f"The model {upstream.name}:{name} takes no images, and nothing was sent. Choose one that does."
            raise Problem("model-without-images", detail)
        for option in options.chosen():
            if option not in upstream.options:
                known = ", ".join(sorted(upstream.options)) or "none"
                detail = f"The provider {upstream.name} has no option `{option}`. Leave it out; it has: {known}."
                raise Problem("unknown-option", detail)
        return ModelRequest(self, upstream, name, key, options, self.in_flight.stops(key), schema, user)


@dataclass(slots=True)
class ModelRequest:
    """The model calls of one HTTP request.

    Attributes:
        stops: how often calls under `key` had been stopped by their user when the request began.
        schema: JSON Schema of each reply, for the vendor's structured output.
        user: name of the user, empty where none is known.
        paid: usage of the calls it made; a kept reply adds nothing.
    """

    backend: Backend
    upstream: Upstream
    name: str
    key: IdempotencyKey | None
    options: ModelOptions
    stops: int
    schema: Schema | None = None
    user: str = ""
    paid: ModelUsage = field(default_factory=ModelUsage)

    @property
    def model(self) -> str:
        """`"provider:name"`."""
        return f"{self.upstream.name}:{self.name}"

    async def answer(self, messages: Messages, *, nth: int = 0, images: Images = ()) -> Outcome:
        """One reply; `nth` of the equal prompts of a batch, from 0."""
        return await outcome_of(self._whole(messages, nth, images))

    async def answer_items(self, batch: Batch, deliver: Deliver) -> None:
        """Answer every prompt, `concurrency` at a time, and deliver each outcome as it comes."""
        seen: Counter[tuple[str, Images]] = Counter()
        waiting = iter(enumerate(batch.prompts))

        with self.backend.watch.metrics.waiting_for(len(batch.prompts)) as begin:

            async def work() -> None:
                for index, prompt in waiting:
                    begin()
                    images = batch.images[index] if batch.images else ()
                    nth = batch.nth[index] if batch.nth else seen[prompt, images]
                    seen[prompt, images] += 1
                    await deliver(index, await self._answer_prompt(prompt, nth, images))

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.backend.concurrency, len(batch.prompts))):
                    group.create_task(work())

    async def answer_in_pieces(self, wanted: Conversation, write: Callable[[str], Awaitable[None]]) -> Outcome:
        """One reply; its text, and the reasoning that the model shows, is written as it comes."""
        return await outcome_of(_last(self._pieces(wanted.messages, 0, wanted.images), write))

    async def _answer_prompt(self, prompt: str, nth: int, images: Images) -> Outcome:
        try:
            check_prompt(prompt)
        except Problem as problem:
            return problem
        return await self.answer((Message("user", prompt),), nth=nth, images=images)

    def _pieces(self, messages: Messages, nth: int, images: Images) -> Pieces:
        """The pieces of one reply: those of a call in flight or kept under the key, or of a new call.

        A client that sends a key repeats a failed call itself, so that the server does not retry it as well.
        """
        if self.key is None:
            return self._paid(messages, self.backend.retries, images)
        digest = self.key.digest(self.model, messages, nth, self.options, self.schema, images)
        return self.backend.in_flight.join(digest, lambda: self._paid(messages, 0, images), key=self.key)

    async def _whole(self, messages: Messages, nth: int, images: Images) -> Reply:
        """The reply that `_pieces` ends with; nobody is woken for its pieces."""
        if self.key is None:
            return await _last(self._paid(messages, self.backend.retries, images, is_watched=False))
        digest = self.key.digest(self.model, messages, nth, self.options, self.schema, images)
        paid = partial(self._paid, messages, 0, images, is_watched=False)
        return await self.backend.in_flight.whole(digest, paid, key=self.key)

    async def _paid(self, messages: Messages, retries: int, images: Images, *, is_watched: bool = True) -> Pieces:
        """Make the call, within the budgets, on record."""
        if self.backend.in_flight.stops(self.key) != self.stops:
            raise stopped_error(self.upstream.name)
        backend, prices = self.backend, self.backend.registry.prices
        guess = backend.budgets.guess(messages, len(images))
        if likely := prices.cost(self.upstream.name, self.name, guess):
            guess = replace(guess, cost=likely)
        run = self.key.run if self.key else ""
        size = sum(len(message.content) for message in messages)
        record = CallRecord(self.user, self.upstream.name, self.name, run, size)
        call = UpstreamCall(messages, self.name, self.options, retries, self.schema, images, is_watched)
        with backend.watch.watching(record):
            async with (
                backend.budgets.admitted(self.user, run, guess) as settle,
                aclosing(self.upstream.stream(call)) as pieces,
            ):
                try:
                    async for piece in pieces:
                        if isinstance(piece, Reply):
                            piece = prices.priced(self.upstream.name, self.name, piece)
                            settle(piece.usage)
                            self.paid += piece.usage
                        record.take(piece)
                        yield piece
                except UpstreamError as fault:
                    raise await backend.registry.explained(fault, self.name) from None


async def outcome_of(call: Awaitable[Reply]) -> Outcome:
    """Await `call`; a failure becomes a problem; a fault of ours is logged as well."""
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
