"""Flights: calls to a model that are kept, so that nobody pays twice for the same one.

    Idempotency-Key: <run>/<call>

In: the key of a call and how to make it. Out: its reply. The key is the hash of the run, the call and what is asked of
which model; so the same header with another prompt is another call. A call that is under way is joined, one that
succeeded is answered from the store, and one that failed is made again. A call that began goes on when everyone who
waited for it has left: it is paid for, and whoever asks again gets its reply.

A batch has one header for all its prompts; equal prompts in it are told apart by which of them comes first.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from rlm_core.errors import ProviderError
from rlm_core.types import Message, Reply

from ..http.problems import Problem
from ..providers.upstream import UpstreamError
from .reply_store import Store

logger = logging.getLogger("rlm_server")
HEADER = "Idempotency-Key"
WRITTEN = re.compile(r"(?P<run>[A-Za-z0-9._:-]{1,64})/(?P<call>[A-Za-z0-9._:/-]{1,128})")
Pieces: TypeAlias = AsyncGenerator[str | Reply, None]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the header says: which call of which run this is."""

    run: str
    call: str

    def key(self, model: str, messages: Sequence[Message], nth: int) -> bytes:
        """The key of this call, asked of `model`; `nth` of equal ones in its batch, from 0."""
        asked = [self.run, self.call, model, [[message.role, message.content] for message in messages], nth]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


def read_ticket(values: Sequence[str]) -> Ticket | None:
    """Read the values of the header; without one nothing is kept.

    Raises:
        Problem: it is not written as above, or there are several.

    >>> read_ticket(["f81d4fae/0/3"])
    Ticket(run='f81d4fae', call='0/3')
    """
    if not values:
        return None
    written = WRITTEN.fullmatch(values[0]) if len(values) == 1 else None
    if written is None:
        form = "up to 64 and 128 letters, digits, dots, colons, hyphens and underscores; the call may hold slashes"
        raise Problem("invalid-request", f"Write the header once, as `{HEADER}: <run>/<call>`: {form}.")
    return Ticket(written["run"], written["call"])


class Flights:
    """The calls under way, by key, and the store for those that have ended."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._flying: dict[bytes, _Flight] = {}

    async def join(self, key: bytes, call: Callable[[], Pieces]) -> Pieces:
        """The pieces of the reply under `key`, then the `Reply`; `call` is made if nobody has made it.

        Closing the iterator leaves the call alone.
        """
        flight = self._flying.get(key)
        if flight is None:
            flight = self._flying[key] = _Flight()
            flight.begin(self._reply(key, call, flight), end=lambda: self._flying.pop(key))
        async with aclosing(flight.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def land(self, seconds: float) -> None:
        """Wait for the calls under way, then give up on those that are left."""
        tasks = {flight.task for flight in self._flying.values()}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        if late:
            logger.warning(json.dumps({"stopping": "calls given up", "calls": len(late)}))
            await asyncio.wait(late)

    async def _reply(self, key: bytes, call: Callable[[], Pieces], flight: _Flight) -> Reply:
        kept = await self.store.get(key)
        if kept is not None:
            return kept
        async with aclosing(call()) as pieces:
            async for piece in pieces:
                if isinstance(piece, Reply):
                    await self.store.put(key, piece)
                    return piece
                flight.add(piece)
        raise AssertionError("a call ended without its Reply")


class _Flight:
    """One call under way, and what has come of it so far, for any number that wait."""

    task: asyncio.Task[Reply]

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._news = asyncio.Event()

    def begin(self, call: Coroutine[object, object, Reply], *, end: Callable[[], object]) -> None:
        def ended(task: asyncio.Task[Reply]) -> None:
            self._tell()
            end()
            _log_fault(task)

        self.task = asyncio.create_task(call)
        self.task.add_done_callback(ended)

    def add(self, text: str) -> None:
        self.texts.append(text)
        self._tell()

    async def pieces(self) -> Pieces:
        told = 0
        while True:
            news = self._news
            for text in self.texts[told:]:
                yield text
                told += 1
            if self.task.done() and told == len(self.texts):
                break
            await news.wait()
        if self.task.cancelled():
            raise UpstreamError("The server is stopping.", kind="cut-off", upstream="server", retryable=True)
        reply = self.task.result()
        rest = reply.text[sum(map(len, self.texts)) :]
        if rest:
            yield rest
        yield reply

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _log_fault(task: asyncio.Task[Reply]) -> None:
    """A fault of ours is told here, for perhaps nobody waits any more."""
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, Problem | ProviderError):
        logger.error("a model call failed by a fault of ours", exc_info=fault)
