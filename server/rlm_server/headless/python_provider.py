"""Python provider: a function of this process that answers the page's model calls, in place of a server's providers.

In: the caller's function, asynchronous or not, and calls of the page as JSON text. Out: a reply or an error, as JSON
text, and the pieces of a reply on the way. The page checks what is returned, counts it and retries it
(worker/calls/page_provider.js); a key that the function uses stays in this process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rlm_core import ConfigError, ProviderError
from rlm_core.types import Json, ModelUsage, Reply

from .names import camel, snake_keys
from .python_tools import awaited

LABEL = "a function of the Python program"
FACTS = ("label", "concurrency", "takes_images", "window_tokens")
FIELDS = ("text", "model", "usage", "finish_reason", "reasoning")
"""Fields of a reply, as a mapping or as attributes."""
OF_ERRORS = ("retryable", "retry_after", "status", "upstream", "type")


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """A model call, as a provider gets it.

    Attributes:
        messages: `{"role", "content"}` each.
        model: the option `model` or `sub_model`, or one of `allowed_models`; `None`: none was named.
        images: `{"type", "data"}` each, beside the last message; the data is base64.
        schema: JSON Schema of the reply. The prompt ends with it, so that a provider may leave it aside.
        options: those of `model_options` or `sub_model_options` that were chosen.
        on_delta: takes the pieces of the reply as they come, for whoever watches, from any thread; an empty one is a
            sign of life.
    """

    messages: list[dict[str, str]]
    model: str | None = None
    images: list[dict[str, str]] = field(default_factory=list, repr=False)
    schema: dict[str, Json] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    on_delta: Callable[[str], None] = field(default=lambda text: None, repr=False)


Provider = Callable[[ProviderCall], object]
"""Gives the reply's text, a `rlm_core.Reply` or a dict of its fields, also from a coroutine."""
SendPiece = Callable[[str], Awaitable[object]]


class PythonProvider:
    """The caller's function.

    Attributes:
        facts: as the page takes them: `label`, and of the function's attributes those that are there.
    """

    def __init__(self, function: Provider) -> None:
        self._function = function
        there = {name: getattr(function, name) for name in FACTS if getattr(function, name, None) is not None}
        self.facts: dict[str, object] = {camel(name): value for name, value in {"label": LABEL, **there}.items()}
        try:
            json.dumps(self.facts, allow_nan=False)
        except (TypeError, ValueError):
            raise ConfigError(
                f"the attributes {', '.join(there)} of provider must be text, numbers or bools."
            ) from None

    async def answer(self, request: str, send: SendPiece) -> str:
        """The outcome of a call, `{"reply": ...}` or `{"error": ...}`, as JSON text.

        Args:
            send: takes the pieces of the reply, in their order.
        """
        pieces = _Pieces(send)
        call = json.loads(request)
        asked = ProviderCall(**{**call, "options": snake_keys(call["options"])}, on_delta=pieces.take)
        try:
            value = await awaited(self._function, asked)
            return json.dumps({"reply": reply_json(value)})
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; its call gets the message
            return json.dumps({"error": error_json(fault)})
        finally:
            await pieces.sent()


def reply_json(value: object) -> dict[str, object]:
    """A provider's reply as the page takes it; types of its fields are checked there.

    Raises:
        TypeError: it is none of the three forms, has an unknown field, or is not JSON.

    >>> reply_json("Ada")
    {'text': 'Ada'}
    >>> reply_json({"text": "Ada", "finish_reason": "stop"})
    {'text': 'Ada', 'finishReason': 'stop'}
    """
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, Reply):
        fields: Mapping[str, object] = {name: getattr(value, name) for name in FIELDS if name != "model" or value.model}
    elif isinstance(value, Mapping):
        fields = value
    else:
        raise TypeError(f"it returned {type(value).__name__}, not text, a Reply or a dict with `text`")
    if unknown := [str(name) for name in fields if name not in FIELDS]:
        raise TypeError(f"its reply has a field {unknown[0]:.40}; known are {', '.join(FIELDS)}")
    reply = {camel(name): _usage(part) if name == "usage" else part for name, part in fields.items()}
    json.dumps(reply, allow_nan=False)
    return reply


def error_json(fault: Exception) -> dict[str, object]:
    """An error as the page takes it: a `ProviderError` as it is, any other by its message and facts about it."""
    facts = {name: getattr(fault, name, None) for name in OF_ERRORS}
    plain = {camel(name): part for name, part in facts.items() if isinstance(part, str | int | float)}
    name = "ProviderError" if isinstance(fault, ProviderError) else type(fault).__name__
    return {**plain, "name": name, "message": str(fault) or type(fault).__name__}


def _usage(usage: object) -> object:
    return asdict(usage) if isinstance(usage, ModelUsage) else usage


class _Pieces:
    """Pieces of one reply, from any thread, on their way to the page: those that wait are sent as one."""

    def __init__(self, send: SendPiece) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: list[str] = []
        self._sending: asyncio.Task[None] | None = None

    def take(self, text: str) -> None:
        """Send a piece.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"on_delta takes text, not {type(text).__name__}")
        self._loop.call_soon_threadsafe(self._add, text)

    async def sent(self) -> None:
        """Wait until all pieces are with the page."""
        await asyncio.sleep(0)  # those that were taken last are added
        if self._sending is not None:
            await self._sending

    def _add(self, text: str) -> None:
        self._waiting.append(text)
        if self._sending is None or self._sending.done():
            self._sending = self._loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            await self._send(text)
