"""OpenAI's chat dialect: `POST /chat/completions`, as OpenAI, OpenRouter, Gemini, vLLM, llama.cpp and others speak it.

In: a call. Out: the body to post. Neighbours of one role are merged, as some chat templates demand; text and images
go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rlm_core.types import Message

from .exchange import Exchange, Refused
from .images import openai_content
from .model_lists import offer_of, window_of
from .structured_output import structured_output
from .turns import merged
from .upstream import Offer, UpstreamCall, UpstreamError
from .workarounds import Body

OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "max_tokens",
    "reasoning_effort": "reasoning_effort",
    "seed": "seed",
}
"""Our options -> fields of the body."""
NEWER_FIELD = "max_completion_tokens"
"""The vendor's own field in place of `max_tokens`."""
VENDOR_URL = "https://api.openai.com/"


class OpenAIChat:
    """The dialect."""

    options = frozenset(OPTIONS)

    def path(self, model: str) -> str:
        return "/chat/completions"

    async def body(self, exchange: Exchange, call: UpstreamCall) -> Body:
        fields = (
            {**OPTIONS, "max_output_tokens": NEWER_FIELD} if exchange.address.url.startswith(VENDOR_URL) else OPTIONS
        )
        return {
            "model": call.model,
            "messages": with_images(call),
            **{fields[name]: value for name, value in call.options.chosen().items()},
            **structured_output("openai", call.schema),
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def models(self, exchange: Exchange) -> Offer:
        """`GET /models`; where that fails and the base URL has no version, `GET /v1/models`."""
        seconds = exchange.settings.models_seconds
        try:
            offer = offer_of(exchange.name, await exchange.get_json("/models", seconds=seconds))
        except UpstreamError as fault:
            if not exchange.may_lack_version or fault.kind not in ("model-unknown", "malformed", "call-refused"):
                raise
            offer = offer_of(exchange.name, await exchange.get_json("/v1/models", seconds=seconds))
            note = f"{exchange.address.url_variable} lacks /v1 at its end: add it, or calls will fail."
            return replace(offer, note=note)
        return await self._with_window(exchange, offer)

    def refused(self, fault: Refused, model: str) -> bool:
        return False

    async def _with_window(self, exchange: Exchange, offer: Offer) -> Offer:
        """The offer of llama.cpp's server with the window that it was started with, by `GET /props`."""
        url = exchange.address.url
        is_local = exchange.address.url_variable and not url.startswith(VENDOR_URL)
        if not is_local or len(offer.models) != 1 or not url.endswith("/v1"):
            return offer
        try:
            props = await exchange.at(url.removesuffix("/v1")).get_json(
                "/props", seconds=exchange.settings.models_seconds
            )
        except UpstreamError:
            return offer
        paths = (("default_generation_settings", "n_ctx"), ("n_ctx",))
        window = window_of(props, paths) if isinstance(props, Mapping) else None
        return replace(offer, models=(replace(offer.models[0], window_tokens=window),)) if window else offer


def with_images(call: UpstreamCall) -> list[dict[str, object]]:
    """The messages of `call`, its images in the last one."""
    turns: list[dict[str, object]] = [{**turn} for turn in to_wire(call.messages)]
    if call.images:
        turns[-1]["content"] = openai_content(str(turns[-1]["content"]), call.images)
    return turns


def to_wire(messages: Sequence[Message]) -> list[dict[str, str]]:
    """`messages` as `{role, content}`, neighbours of one role merged."""
    return [{"role": turn.role, "content": turn.content} for turn in merged(messages)]
