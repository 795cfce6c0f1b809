"""Answering: a kept run by a headless browser, or by one plain model call.

In: a kept run. Out: its answer; on the way a line of progress for each iteration, or the text of a plain call as it
comes. The browser opens with the first run and closes with the server. It calls this same server, with its token, so
that budgets, kept replies and records are those of every other call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from rlm_core import RLMError
from rlm_core.limits import LIMITS
from rlm_core.types import Reply

from ..calls.model_call import Backend
from ..headless.names import snake
from ..headless.temporary import temporary_folder
from ..http.problems import Problem
from ..http.wire import Conversation, parse_request
from ..providers.upstream import Reasoning
from .completion import FAULTS, finish_reason, text_of, usage_of
from .conversation import Asked
from .kept_runs import Finished, KeptRun

if TYPE_CHECKING:
    from ..headless.pool import BrowserPool
    from ..headless.result import HeadlessResult

BY_NAME = {facts.name: facts for facts in LIMITS}


class Answering:
    """Answers runs; `close` it with the server.

    Args:
        open_pool: makes the pool, which is opened with the first run.
        backend: gives the server's own, for plain calls.
        defaults: limits of a run that names none, and the most that it may name, by the names of `Limits`.
    """

    def __init__(
        self,
        open_pool: Callable[[], BrowserPool],
        backend: Callable[[], Backend],
        *,
        defaults: Mapping[str, float],
        ceilings: Mapping[str, float],
    ) -> None:
        self._open_pool = open_pool
        self._backend = backend
        self._defaults = defaults
        self._ceilings = ceilings
        self._turn = asyncio.Lock()
        self._opened = AsyncExitStack()
        self._pool: BrowserPool | None = None

    async def __call__(self, run: KeptRun) -> Finished:
        """The answer of `run`.

        Raises:
            RLMError: it failed.
            Problem: the plain call was refused, or failed.
        """
        if run.asked.is_plain:
            return await self._plain(run)
        with self._backend().asked_by(run.user, run.id):
            return await self._recursive(run)

    async def close(self) -> None:
        """Close the browser."""
        await self._opened.aclose()

    async def _recursive(self, run: KeptRun) -> Finished:
        pool, asked = await self._ready(), run.asked
        arguments: dict[str, Any] = {**self._limited(asked.options), "idempotency_key": run.id}
        if asked.model is not None:
            arguments["model"] = asked.model
        with temporary_folder() as folder:
            (files := folder / "files").mkdir()
            context = await asyncio.to_thread(asked.context, files)
            result = await pool.run(
                asked.question, context=context, schema=asked.schema, on_event=Progress(run), **arguments
            )
        return finished(result, asked)

    async def _plain(self, run: KeptRun) -> Finished:
        wanted = plain_request(run.asked)
        calls = await self._backend().request(wanted, None, user=run.user)

        async def pass_on(text: str) -> None:
            run.add("reasoning" if isinstance(text, Reasoning) else "content", text)

        outcome = await calls.answer_in_pieces(wanted, pass_on)
        if isinstance(outcome, Problem):
            raise outcome
        return Finished(
            outcome.text, "length" if outcome.finish_reason == "length" else "stop", usage_of_reply(outcome)
        )

    async def _ready(self) -> BrowserPool:
        async with self._turn:
            if self._pool is None:
                self._pool = await self._opened.enter_async_context(self._open_pool())
            return self._pool

    def _limited(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """`options` with the operator's defaults, and no limit above its ceiling."""
        defaults = {snake(BY_NAME[name].option): value for name, value in self._defaults.items()}
        limited = {**defaults, **options}
        for name, most in self._ceilings.items():
            option = snake(BY_NAME[name].option)
            chosen = limited.get(option)
            limited[option] = most if chosen is None else min(chosen, most)
        return limited


class Progress:
    """Events of a run as lines of progress: one for each iteration of the root."""

    def __init__(self, run: KeptRun) -> None:
        self._run = run
        self._calls = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        if event["type"] == "call_finished":
            self._calls += 1
        if event["type"] == "iteration_started" and not event["path"]:
            number, calls = event["iteration"], self._calls
            made = f"after {calls:,} model call{'s' * (calls != 1)}, " if calls else ""
            self._run.add("reasoning", f"Iteration {number}, {made}{event['seconds']:.1f} s\n")


def finished(result: HeadlessResult, asked: Asked) -> Finished:
    """The result of a run as its answer.

    Raises:
        RLMError: it ended by a fault.
    """
    if result.stopped_by in FAULTS:
        raise RLMError(result.detail or f"The run ended without an answer: {result.stopped_by}.")
    content = text_of(result, is_json=asked.schema is not None)
    evidence = tuple(dict(item) for item in result.evidence)
    return Finished(content, finish_reason(result), usage_of(result.usage), evidence)  # type: ignore[arg-type]


def plain_request(asked: Asked) -> Conversation:
    """The whole conversation as one model call.

    Raises:
        Problem: a value in it is not allowed.
    """
    roles = {"developer": "system"}
    messages = [{"role": roles.get(turn.role, turn.role), "content": turn.text} for turn in asked.turns if turn.text]
    body: dict[str, Any] = {"messages": messages}
    if asked.model is not None:
        body["model"] = asked.model
    if asked.schema is not None:
        body["schema"] = asked.schema
    wanted = parse_request(body)
    assert isinstance(wanted, Conversation), "messages are a conversation"
    return wanted


def usage_of_reply(reply: Reply) -> dict[str, Any]:
    """Usage of one call."""
    used = reply.usage
    names = ("calls", "input_tokens", "output_tokens", "cached_tokens", "cost")
    return usage_of({reply.model: {name: getattr(used, name) for name in names}})
