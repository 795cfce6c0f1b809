"""In-flight calls: a model call with an idempotency key is made once (single flight) and its reply is kept.

    Idempotency-Key: <run>/<call>

In: a digest and a function that makes the call. Out: its reply. The digest is the hash of the run, the call, the model
and the messages; so the same header with another prompt is another call. A call in flight is joined, a successful one
is answered from the store, a failed one is made again when it is requested again. A call outlives its clients: it is
paid for, and a repeated request gets its reply. Only its user stops it (`stop`). Of processes that share the store's
file one makes the call, and the others wait for its reply.

A batch has one header for all its prompts; equal prompts in it are numbered in their order.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from rlm_core.errors import ProviderError
from rlm_core.types import Json, Message, Reply

from ..http.problems import Problem
from ..providers.images import Images
from ..providers.upstream import NO_OPTIONS, ModelOptions, Pieces, Reasoning, UpstreamError
from .reply_store import Lease, Store

logger = logging.getLogger("rlm_server")
HEADER = "Idempotency-Key"
KEY_FORM = re.compile(r"(?P<run>[A-Za-z0-9._:-]{1,64})/(?P<call>[A-Za-z0-9._:/-]{1,128})")
REPEAT_SECONDS = 600.0
"""Time within which a repeated request counts as a retry of the same call."""
MOST_REMEMBERED = 10_000
POLL_SECONDS = 0.2
"""Time between two looks for a reply that another process is to bring."""
RENEW_SECONDS = 1.0
"""Time between two renewals of the leases; also the delay of a stop that reached another process."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The header's value: the run and the call in it."""

    run: str
    call: str

    def request(self) -> bytes:
        """Hash of the header's value, for those who share a store."""
        return hashlib.sha256(f"{self.run}/{self.call}".encode()).digest()

    def digest(
        self,
        model: str,
        messages: Sequence[Message],
        nth: int,
        options: ModelOptions = NO_OPTIONS,
        schema: Mapping[str, Json] | None = None,
        images: Images = (),
    ) -> bytes:
        """The digest of the `nth` (from 0) of equal calls to `model` in one batch.

        Without options, schema and images it is the one of earlier versions, whose store files are read.
        """
        spoken = [[message.role, message.content] for message in messages]
        fields: list[Json] = [self.run, self.call, model, cast("list[Json]", spoken), nth]
        if chosen := options.chosen():
            fields.append(cast("Json", chosen))
        if schema is not None:
            fields.append({"schema": cast("Json", schema)})
        if images:
            fields.append({"images": [image.sha256 for image in images]})
        return hashlib.sha256(json.dumps(fields).encode()).digest()


def read_idempotency_key(values: Sequence[str]) -> IdempotencyKey | None:
    """Read the values of the header; without one nothing is kept.

    Raises:
        Problem: a malformed header, or several.

    >>> read_idempotency_key(["f81d4fae/0/3"])
    IdempotencyKey(run='f81d4fae', call='0/3')
    """
    if not values:
        return None
    key = KEY_FORM.fullmatch(values[0]) if len(values) == 1 else None
    if key is None:
        form = "up to 64 and 128 letters, digits, dots, colons, hyphens and underscores; the call may hold slashes"
        raise Problem("invalid-request", f"Write the header once, as `{HEADER}: <run>/<call>`: {form}.")
    return IdempotencyKey(key["run"], key["call"])


class InFlight:
    """The calls in flight, by digest, and the store of finished ones."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._calls: dict[bytes, _SharedCall] = {}
        self._failures: OrderedDict[bytes, tuple[int, float]] = OrderedDict()
        self._stops: OrderedDict[IdempotencyKey, int] = OrderedDict()
        self._renewing: asyncio.Task[None] | None = None

    async def join(self, digest: bytes, call: Callable[[], Pieces], *, key: IdempotencyKey | None = None) -> Pieces:
        """The pieces of the reply under `digest`, then the `Reply`; `call` is made unless it is in flight or kept.

        Closing the iterator does not stop the call.
        """
        async with aclosing(self._shared(digest, call, key).pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def whole(self, digest: bytes, call: Callable[[], Pieces], *, key: IdempotencyKey | None = None) -> Reply:
        """The `Reply` that `join` ends with, for a reader who does not watch it being written.

        Cancelling the reader does not stop the call.
        """
        return await self._shared(digest, call, key).whole()

    def _shared(self, digest: bytes, call: Callable[[], Pieces], key: IdempotencyKey | None) -> _SharedCall:
        """The call in flight under `digest`, begun now unless it is."""
        shared = self._calls.get(digest)
        if shared is None:
            shared = self._calls[digest] = _SharedCall(key)
            shared.begin(self._reply(digest, call, shared), end=lambda: self._calls.pop(digest))
            self._keep_leases()
        return shared

    def stop(self, key: IdempotencyKey) -> int:
        """Cancel the calls in flight under `key` for their user, and those that its request would still begin.

        Returns:
            How many were in flight.
        """
        self._stops[key] = self._stops.get(key, 0) + 1
        _forget_oldest(self._stops)
        calls = [shared for shared in self._calls.values() if shared.key == key]
        for shared in calls:
            shared.stop()
        return len(calls)

    async def stop_everywhere(self, key: IdempotencyKey) -> int:
        """`stop`, also in the other processes on the store's file, within `RENEW_SECONDS`; how many were in flight."""
        return self.stop(key) + await self.store.stop(key.request())

    def stops(self, key: IdempotencyKey | None) -> int:
        """How often calls under `key` were stopped."""
        return 0 if key is None else self._stops.get(key, 0)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls in flight, then cancel the rest."""
        if tasks := {shared.task for shared in self._calls.values()}:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds))
            for task in late:
                task.cancel()
            if late:
                logger.warning(json.dumps({"stopping": "calls given up", "calls": len(late)}))
                await asyncio.wait(late)
        if self._renewing is not None:
            self._renewing.cancel()

    async def _reply(self, digest: bytes, call: Callable[[], Pieces], shared: _SharedCall) -> Reply:
        waits, request = False, shared.key.request() if shared.key and self.store.is_shared else b""
        try:
            while isinstance(kept := await self.store.claim(digest, request, waits=waits), Lease):
                if kept is Lease.OURS:
                    return await self._made(digest, call, shared)
                if kept is Lease.STOPPED:
                    raise stopped_error("server")
                waits = True
                await asyncio.sleep(POLL_SECONDS)
            return replace(kept, from_store=True)
        finally:
            shared.wake_readers()  # they go on a turn of the event loop sooner than by the end of the task

    async def _made(self, digest: bytes, call: Callable[[], Pieces], shared: _SharedCall) -> Reply:
        """Make the call, and keep its reply."""
        is_kept = False
        try:
            async with aclosing(call()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Reply):
                        self._failures.pop(digest, None)
                        await self.store.put(digest, piece)
                        is_kept = True
                        return piece
                    shared.add(piece)
        except UpstreamError as fault:
            if self._failed(digest) >= fault.requests:
                fault.retryable = False
            raise
        finally:
            if not is_kept:
                await self.store.release(digest)
        raise AssertionError("a call ended without its Reply")

    def _keep_leases(self) -> None:
        """See that the leases of the calls in flight are renewed until the last one has ended."""
        if self.store.is_shared and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._renew_leases())

    async def _renew_leases(self) -> None:
        while self._calls:
            await asyncio.sleep(RENEW_SECONDS)
            for digest in await self.store.renew(list(self._calls)):
                shared = self._calls.get(digest)
                if shared is not None and shared.key is not None:
                    self.stop(shared.key)

    def _failed(self, digest: bytes) -> int:
        """Count a failed request of a call; the number of them, those of long ago left out."""
        count, at = self._failures.pop(digest, (0, 0.0))
        now = time.monotonic()
        count = count + 1 if now - at < REPEAT_SECONDS else 1
        self._failures[digest] = (count, now)
        _forget_oldest(self._failures)
        return count


class _SharedCall:
    """One call in flight and its text so far, for any number of readers."""

    task: asyncio.Task[Reply]

    def __init__(self, key: IdempotencyKey | None) -> None:
        self.key = key
        self.is_stopped = False
        self.texts: list[str] = []
        self._changed = asyncio.Event()
        self._ends: list[asyncio.Future[None]] = []

    def begin(self, call: Coroutine[object, object, Reply], *, end: Callable[[], object]) -> None:
        def ended(task: asyncio.Task[Reply]) -> None:
            self._notify()
            self.wake_readers()  # of a task that was cancelled before it began
            end()
            _log_fault(task)

        self.task = asyncio.create_task(call)
        self.task.add_done_callback(ended)

    def stop(self) -> None:
        self.is_stopped = True
        self.task.cancel()

    def add(self, text: str) -> None:
        self.texts.append(text)
        self._notify()

    async def pieces(self) -> Pieces:
        sent = 0
        while True:
            changed = self._changed
            for text in self.texts[sent:]:
                yield text
                sent += 1
            if self.task.done() and sent == len(self.texts):
                break
            await changed.wait()
        reply = self._reply()
        if reply.reasoning and not any(isinstance(text, Reasoning) for text in self.texts):
            yield Reasoning(reply.reasoning)
        rest = reply.text[sum(len(text) for text in self.texts if not isinstance(text, Reasoning)) :]
        if rest:
            yield rest
        yield reply

    async def whole(self) -> Reply:
        """The reply at its end, without its pieces."""
        if not self.task.done():
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._ends.append(ended)
            await ended
        return self._reply()

    def _reply(self) -> Reply:
        """The reply of the call that has ended."""
        if self.is_stopped:
            raise stopped_error("server")
        if self.task.cancelled():
            raise UpstreamError("The server is stopping.", kind="cut-off", upstream="server", retryable=True)
        return self.task.result()

    def wake_readers(self) -> None:
        """Wake those who wait for the end of the task, which comes in this turn of the event loop."""
        for waiting in self._ends:
            if not waiting.done():  # its reader was cancelled
                waiting.set_result(None)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def stopped_error(upstream: str) -> UpstreamError:
    """The error of a call that its user stopped."""
    return UpstreamError("The call was stopped by its user.", kind="stopped", upstream=upstream)


def _forget_oldest(entries: OrderedDict[Any, Any]) -> None:
    while len(entries) > MOST_REMEMBERED:
        entries.popitem(last=False)


def _log_fault(task: asyncio.Task[Reply]) -> None:
    """A fault of ours is logged here: no reader may be left."""
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, Problem | ProviderError):
        logger.error("a model call failed by a fault of ours", exc_info=fault)
