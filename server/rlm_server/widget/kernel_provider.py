"""Kernel provider: model calls of a notebook's page, answered in the kernel by the server's own modules.

In: calls of one run. Out: replies, with their cost where it is known, within the budgets of the environment's settings,
and errors with the server's words. Keys are read from the environment, and stay here. Nothing listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError, ProviderError
from rlm_core.types import Reply

from ..headless.python_provider import ProviderCall
from ..settings import Settings, load_settings

if TYPE_CHECKING:
    from ..calls.model_call import Backend
    from ..http.problems import Problem

ALIVE_SECONDS = 60.0
"""Time between two signs of life of a call: a page gives up one that is silent for ten minutes."""
LIST_SECONDS = 5.0
"""Longest wait for the providers' lists of models, which only say how large a window is."""
LABEL_CHARS = 100


class CallFailed(ProviderError):
    """A problem of the server, for the page: it retries where that may help, after `retry_after` seconds."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(
            problem.detail,
            type=problem.kind.slug,
            retryable=problem.retryable,
            status=problem.status,
            upstream=problem.upstream,
        )
        self.retry_after = problem.retry_after


class Backends:
    """The server's half of model calls in this process, without its HTTP: one for the settings of each time.

    Args:
        settings: reads them, by default from the environment.
    """

    def __init__(self, settings: Callable[[], Settings] | None = None) -> None:
        self._settings = settings or _own_settings
        self._opened: list[tuple[Settings, Backend]] = []
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()

    async def backend(self) -> Backend:
        """That of the environment's settings of now.

        Raises:
            ConfigError: a setting is impossible.
        """
        from ..http.app import create_app

        settings = self._settings()
        async with self._opening:
            for known, backend in self._opened:
                if known == settings:
                    return backend
            app = create_app(settings)
            await self._open.enter_async_context(app.router.lifespan_context(app))
            opened: Backend = app.state.backend
            self._opened.append((settings, opened))
            return opened

    async def close(self) -> None:
        """End them, and the calls under way."""
        await self._open.aclose()
        self._opened.clear()


class KernelProvider:
    """A provider function of one run, as `BrowserRLM(provider=...)` takes it; made by `open_provider`.

    Attributes:
        label: where its calls go, for the record.
    """

    concurrency = 16

    def __init__(
        self, backend: Backend, run: str, *, label: str, window_tokens: int | None, takes_images: bool | None
    ) -> None:
        self._backend = backend
        self._run = run
        self._calls = count(1)
        self.label = label
        self.window_tokens = window_tokens
        self.takes_images = takes_images

    async def __call__(self, call: ProviderCall) -> dict[str, Any]:
        """Answer a call.

        Raises:
            CallFailed: it cannot be answered.
        """
        from ..calls.in_flight import IdempotencyKey
        from ..http.wire import Conversation, parse_request

        body = {"messages": call.messages, "model": call.model, "images": call.images, "schema": call.schema}
        key = IdempotencyKey(self._run, str(next(self._calls)))  # the page retries, so that the server does not
        with _problems_as_errors():
            wanted = parse_request({**{name: part for name, part in body.items() if part}, "options": call.options})
            assert isinstance(wanted, Conversation)
            request = await self._backend.request(wanted, key)
            alive = asyncio.create_task(_alive(call))
            try:
                outcome = await request.answer_in_pieces(wanted, lambda piece: _shown(call, piece))
            except asyncio.CancelledError:
                await self._backend.in_flight.stop_everywhere(key)
                raise
            finally:
                alive.cancel()
        if not isinstance(outcome, Reply):
            raise CallFailed(outcome)
        fields = ("text", "model", "usage", "finish_reason", "reasoning")
        return {name: getattr(outcome, name) for name in fields}


async def open_provider(backend: Backend, run: str, model: str | None) -> KernelProvider:
    """The provider of the run of that name.

    Args:
        model: the root model's name, `None` for the default one.

    Raises:
        ConfigError: nobody answers for it.
    """
    from ..http.problems import Problem

    try:
        upstream, name = await backend.registry.find(model)
    except Problem as problem:
        raise ConfigError(problem.detail) from None
    full = f"{upstream.name}:{name}"
    window: int | None = None
    with suppress(TimeoutError, Problem):
        async with asyncio.timeout(LIST_SECONDS):
            models = (await backend.registry.catalogue()).models
            window = next((each.window_tokens for each in models if each.id == full), None)
    takes_images = backend.registry.takes_images(upstream.name, name)
    label = f"{full} by the notebook's kernel".replace("→", "-")[:LABEL_CHARS].strip()
    return KernelProvider(backend, run, label=label, window_tokens=window, takes_images=takes_images)


def _own_settings() -> Settings:
    """Those of the environment. The token is for those who reach a server: here nobody does."""
    return load_settings(host="127.0.0.1", port=0).unguarded()


@contextmanager
def _problems_as_errors() -> Iterator[None]:
    from ..http.problems import Problem

    try:
        yield
    except Problem as problem:
        raise CallFailed(problem) from None


async def _alive(call: ProviderCall) -> None:
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        call.on_delta("")


async def _shown(call: ProviderCall, piece: str) -> None:
    from ..providers.upstream import Reasoning

    call.on_delta("" if isinstance(piece, Reasoning) else piece)
