"""Kept runs: runs behind the endpoint, which live on when their clients go away.

In: a question, and a function that answers it. Out: a run that any number of clients may follow from its beginning,
now or within a day, by its idempotency key or its id. Only a stop ends it early. The forms of a reply are the business
of `chat.py` and `responses.py`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlm_core import ConfigError, RLMError

from ..http.problems import Problem
from .conversation import Asked, Refused

logger = logging.getLogger("rlm_server")
HEARTBEAT_SECONDS = 15.0
KEEP_SECONDS = 86_400.0
MOST_KEPT = 1_000
"""Runs that are remembered after their end; the oldest go first."""
FIRST_GUESS_SECONDS = 10
MOST_RETRY_SECONDS = 120
Kind = Literal["reasoning", "content"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer, in the words of OpenAI's API.

    Attributes:
        usage: of the whole tree of runs, in the form of Chat Completions.
        evidence: quotes with their places, as a result has them.
    """

    content: str
    reason: Literal["stop", "length"]
    usage: Mapping[str, Any]
    evidence: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A run without an answer."""

    message: str
    status: int
    code: str


@dataclass(eq=False)
class KeptRun:
    """A run under way, or over.

    Attributes:
        asked: without its data once the run is over.
        pieces: progress and text so far, oldest first.
        end: `None` while it is under way.
    """

    asked: Asked
    user: str
    digest: bytes
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    created: float = field(default_factory=time.time)
    pieces: list[tuple[Kind, str]] = field(default_factory=list)
    end: Finished | Failed | None = None
    is_stopped: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def add(self, kind: Kind, text: str) -> None:
        """A further piece, for all who follow."""
        self.pieces.append((kind, text))
        self._notify()

    def finish(self, end: Finished | Failed) -> None:
        """The end, for all who follow."""
        self.end = end
        self._notify()

    async def follow(self, beat_seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[tuple[Kind, str] | None]:
        """Each piece from the first one on, until the end; `None` where none came for `beat_seconds`."""
        at = 0
        while True:
            while at < len(self.pieces):
                yield self.pieces[at]
                at += 1
            if self.end is not None:
                return
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), beat_seconds)
            except TimeoutError:
                yield None

    async def ended(self) -> Finished | Failed:
        """Wait for the end."""
        async for _ in self.follow():
            pass
        assert self.end is not None, "a run that nobody can follow any more is over"
        return self.end

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


Answer = Callable[[KeptRun], Awaitable[Finished]]


class KeptRuns:
    """The runs of a server.

    Args:
        answer: answers one; what it raises is the run's failure.
        most: runs under way at once, plain calls apart.
        clock: seconds, monotonic.
    """

    def __init__(self, answer: Answer, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._answer = answer
        self._most = most
        self._clock = clock
        self._runs: OrderedDict[str, tuple[KeptRun, float]] = OrderedDict()
        self._keys: dict[tuple[str, str], KeptRun] = {}
        self._seconds: deque[float] = deque(maxlen=20)

    def begin(self, asked: Asked, *, user: str, digest: bytes, key: str, is_retry: bool = False) -> KeptRun:
        """The run of a request: a new one, or the one that its key has already.

        Args:
            digest: hash of the request's body.
            key: its idempotency key, "" for none.
            is_retry: the client sends the request again; one under way with the same body is the same run.

        Raises:
            Refused: the key is that of another body, or too many runs are under way.
        """
        self._forget()
        known = self._keys.get((user, key)) if key else self._under_way(user, digest) if is_retry else None
        if known is not None:
            if known.digest != digest:
                raise Refused(
                    "the Idempotency-Key was used with another body. Send the same body, or another key.",
                    code="idempotency_key_in_use",
                    status=409,
                )
            return known
        if not asked.is_plain:
            self._check_room()
        run = KeptRun(asked, user, digest)
        self._runs[run.id] = run, self._clock()
        if key:
            self._keys[user, key] = run
        run.task = asyncio.create_task(self._work(run))
        return run

    def get(self, id: str, user: str) -> KeptRun | None:
        """The run of `user` with that id."""
        run, _ = self._runs.get(id, (None, 0.0))
        return run if run is not None and run.user == user else None

    async def stop(self, run: KeptRun) -> None:
        """Stop a run for good; one that is over stays as it is."""
        if run.task is not None and not run.task.done():
            run.is_stopped = True
            run.task.cancel()
            await asyncio.wait([run.task])

    async def close(self) -> None:
        """Stop all runs."""
        await asyncio.gather(*(self.stop(run) for run, _ in list(self._runs.values())))

    async def _work(self, run: KeptRun) -> None:
        began = self._clock()
        try:
            run.finish(await self._answer(run))
        except asyncio.CancelledError:
            run.finish(Failed("The run was stopped.", 409, "cancelled"))
        except Exception as fault:  # noqa: BLE001 - the run's failure is told to whoever follows, and unknown ones logged
            run.finish(failure_of(fault))
        run.asked = run.asked.without_data()
        if not run.asked.is_plain:
            self._seconds.append(self._clock() - began)

    def _under_way(self, user: str, digest: bytes) -> KeptRun | None:
        runs = (run for run, _ in self._runs.values() if run.end is None)
        return next((run for run in runs if (run.user, run.digest) == (user, digest)), None)

    def _check_room(self) -> None:
        under_way = sum(run.end is None and not run.asked.is_plain for run, _ in self._runs.values())
        if under_way < self._most:
            return
        usual = sum(self._seconds) / len(self._seconds) if self._seconds else FIRST_GUESS_SECONDS
        wait = max(1, min(MOST_RETRY_SECONDS, round(usual / self._most)))
        raise Refused(
            f"{under_way} of {self._most} runs are under way. Ask again in {wait} s, or serve with more --runs.",
            code="rate_limit_exceeded",
            status=429,
            retry_after=wait,
        )

    def _forget(self) -> None:
        """Drop the runs that ended long ago, and the oldest of too many."""
        over = [(id, run, at) for id, (run, at) in self._runs.items() if run.end is not None]
        excess = len(over) - MOST_KEPT
        for number, (id, run, at) in enumerate(over):
            if number < excess or at + KEEP_SECONDS < self._clock():
                del self._runs[id]
                for key in [key for key, kept in self._keys.items() if kept is run]:
                    del self._keys[key]


def failure_of(fault: BaseException) -> Failed:
    """A failure, in the words of OpenAI's API; one of ours is logged."""
    if isinstance(fault, Refused):
        return Failed(str(fault), fault.status, fault.code or "invalid_request")
    if isinstance(fault, Problem):
        return Failed(fault.detail, fault.status, fault.kind.slug)
    if isinstance(fault, ConfigError):
        return Failed(str(fault), 400, "invalid_request")
    if isinstance(fault, RLMError):
        return Failed(str(fault), 500, "run_failed")  # its calls were retried: 502 would ask for all of it again
    logger.error("a run of the endpoint failed by a fault of ours", exc_info=fault)
    return Failed(
        "The server met a fault of its own. Its log has the details; please report it.", 500, "internal_error"
    )
