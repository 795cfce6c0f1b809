"""Attendance: work for a client, while it waits and the server runs.

In: a request, and work. Out: the result of the work, which is cancelled as soon as its client is gone, or the drain is
over. The work stays in the task of its request, as with `asyncio.timeout`: a call over the call socket needs no further
task, one over HTTP a single one, which listens for the client's end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from .problems import Problem

T = TypeVar("T")
React: TypeAlias = Callable[[], object]
LEAVING = "rlm_server.leaving"
"""Key of a scope: the `Happening` of its client's end, where no task needs to listen for it."""


class Happening:
    """Something that happens once, such as the end of a drain."""

    def __init__(self) -> None:
        self.has_happened = False
        self._reactions: set[React] = set()

    def happen(self) -> None:
        """Let it happen."""
        self.has_happened = True
        reactions, self._reactions = self._reactions, set()
        for react in reactions:
            react()

    def watch(self, react: React) -> None:
        """Have `react` called when it happens; soon where it has happened before."""
        self._reactions.add(react)
        if self.has_happened:
            asyncio.get_running_loop().call_soon(self._react_late, react)

    def unwatch(self, react: React) -> None:
        """Have `react` not called any more."""
        self._reactions.discard(react)

    def _react_late(self, react: React) -> None:
        if react in self._reactions:
            react()


async def attended(request: Request, work: Coroutine[object, object, T]) -> T:
    """Do `work` while the client of `request` waits for it.

    Raises:
        ClientDisconnect: the client went away first.
        Problem: the server is stopping.
    """
    task = asyncio.current_task()
    assert task is not None
    reasons: list[Exception] = []
    is_over = False

    def end(reason: Exception) -> None:
        if not reasons and not is_over:
            reasons.append(reason)
            task.cancel()

    def leave() -> None:
        end(ClientDisconnect())

    def stop() -> None:
        end(Problem("server-stopping", "The server is stopping, and this call did not finish in time. Ask again."))

    stopping: Happening = request.app.state.stopping
    leaving: Happening | None = request.scope.get(LEAVING)
    listening = None if leaving is not None else asyncio.create_task(_until_gone(request.receive, leave))
    try:
        stopping.watch(stop)
        if leaving is not None:
            leaving.watch(leave)
        return await work
    except asyncio.CancelledError:
        if not reasons or task.cancelling() > 1:
            raise
        raise reasons[0] from None
    finally:
        is_over = True
        stopping.unwatch(stop)
        if leaving is not None:
            leaving.unwatch(leave)
        if reasons:
            task.uncancel()
        if listening is not None:
            listening.cancel()
            await asyncio.wait((listening,))


async def _until_gone(receive: Receive, leave: React) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
