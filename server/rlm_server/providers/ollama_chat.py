"""Ollama's dialect: `POST /api/chat`, answered by one JSON value a line.

In: a call. Out: the body to post, with the window (`num_ctx`) that the prompt needs. Ollama's OpenAI path takes no
window: it cuts a longer prompt to a part of its default one and answers with status 200. The window is doubled from
`LEAST_WINDOW` until the prompt fits, since each new size loads the model again, up to the model's own window
(`/api/show`) or the user's limit. Servers without this API are asked by OpenAI's path.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

from .exchange import Exchange, Refused
from .images import IMAGE_TOKENS, ollama_fields, reported
from .model_lists import offer_of
from .openai_chat import OpenAIChat, to_wire
from .reply_forms import token_count
from .structured_output import structured_output
from .upstream import Offer, UpstreamCall, UpstreamError
from .workarounds import Body

OPTIONS = {"temperature": "temperature", "top_p": "top_p", "max_output_tokens": "num_predict", "seed": "seed"}
"""Our options -> fields of its `options`."""
LEAST_WINDOW = 4_096
REPLY_TOKENS = 2_048
"""Room for the reply where its length is not limited."""
BYTES_PER_TOKEN = 3
"""A cautious guess: most texts take fewer tokens."""
MOST_SHOWN = 40
"""Most models whose window is looked up for the list."""
NUM_CTX = re.compile(r"^num_ctx\s+(\d+)\s*$", re.MULTILINE)


class OllamaChat:
    """The dialect, with the windows of the models as far as they are known."""

    options = frozenset({*OPTIONS, "reasoning_effort"})

    def __init__(self) -> None:
        self._openai: OpenAIChat | None = None
        self._limits: dict[str, int | None] = {}
        self._windows: dict[str, int] = {}
        self._images: dict[str, bool | None] = {}

    def path(self, model: str) -> str:
        return "/api/chat" if self._openai is None else "/v1" + self._openai.path(model)

    async def body(self, exchange: Exchange, call: UpstreamCall) -> Body:
        if self._openai is not None:
            return await self._openai.body(exchange, call)
        window = await self._window(exchange, call)
        chosen = call.options.chosen()
        options = {field: chosen[name] for name, field in OPTIONS.items() if name in chosen}
        body: dict[str, object] = {
            "model": call.model,
            "messages": _with_images(call),
            **structured_output("ollama", call.schema),
            "stream": True,
        }
        if options or window:
            body["options"] = {**options, "num_ctx": window} if window else options
        if "reasoning_effort" in chosen:
            body["think"] = False if chosen["reasoning_effort"] == "none" else chosen["reasoning_effort"]
        return body

    async def models(self, exchange: Exchange) -> Offer:
        """`GET /api/tags` with the window of each; `GET /v1/models` where there is no such path."""
        seconds = exchange.settings.models_seconds
        try:
            offer = offer_of(exchange.name, await exchange.get_json("/api/tags", seconds=seconds))
        except UpstreamError as fault:
            if fault.status not in (404, 405):
                raise
            return offer_of(exchange.name, await exchange.get_json("/v1/models", seconds=seconds))
        limits = await asyncio.gather(*(self._limit(exchange, model.name) for model in offer.models[:MOST_SHOWN]))
        shown = tuple(
            replace(model, window_tokens=limit, images=self._images.get(model.name))
            for model, limit in zip(offer.models, limits, strict=False)
        )
        return replace(offer, models=(*shown, *offer.models[MOST_SHOWN:]))

    def refused(self, fault: Refused, model: str) -> bool:
        """Whether there is no such path, so that OpenAI's may be there."""
        if self._openai is not None or fault.status not in (404, 405) or fault.is_of_model:
            return False
        self._openai = OpenAIChat()
        return True

    async def _window(self, exchange: Exchange, call: UpstreamCall) -> int | None:
        """The window for `call`, `None` where the server's own default has to do.

        Raises:
            UpstreamError: the prompt does not fit into the largest one.
        """
        limit = await self._limit(exchange, call.model)
        if limit is None:
            return None
        words = sum(len(message.content.split()) for message in call.messages)
        if words > limit:
            raise UpstreamError(
                f"The prompt holds {words:,} words, and the window of {exchange.name}:{call.model} {limit:,} tokens. "
                "Send less text at once, or raise RLM_OLLAMA_NUM_CTX as far as the model allows.",
                kind="prompt-too-long",
                upstream=exchange.name,
            )
        size = sum(len(message.content.encode(errors="surrogatepass")) for message in call.messages)
        needed = (
            size // BYTES_PER_TOKEN + len(call.images) * IMAGE_TOKENS + (call.options.max_output_tokens or REPLY_TOKENS)
        )
        window = self._windows.get(call.model, LEAST_WINDOW)
        while window < needed:
            window *= 2
        self._windows[call.model] = min(window, limit)
        return self._windows[call.model]

    async def _limit(self, exchange: Exchange, model: str) -> int | None:
        """The largest window of `model`: the user's limit, that of its model file, or its own."""
        if exchange.settings.ollama_num_ctx:
            return exchange.settings.ollama_num_ctx
        if model not in self._limits:
            try:
                seconds = exchange.settings.models_seconds
                shown = await exchange.post_json("/api/show", {"model": model}, seconds=seconds)
            except UpstreamError as fault:
                if fault.status is None:
                    return None
                shown = None
            self._limits[model] = _window_shown(shown)
            self._images[model] = reported(shown) if isinstance(shown, Mapping) else None
        return self._limits[model]


def _with_images(call: UpstreamCall) -> list[dict[str, object]]:
    turns: list[dict[str, object]] = [{**turn} for turn in to_wire(call.messages)]
    turns[-1].update(ollama_fields(call.images))
    return turns


def _window_shown(shown: object) -> int | None:
    """The window in a reply of `/api/show`."""
    if not isinstance(shown, Mapping):
        return None
    parameters = shown.get("parameters")
    chosen = NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    if chosen:
        return int(chosen[1])
    info = shown.get("model_info")
    entries = info.items() if isinstance(info, Mapping) else ()
    return next((token_count(value) for name, value in entries if str(name).endswith(".context_length")), None)
