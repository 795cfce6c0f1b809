"""Anthropic's dialect: `POST /v1/messages`.

In: a call. Out: the body to post. System messages go into `system`, neighbours of one role are merged and empty ones
left out, as the API demands. The system prompt and the latest turn of a conversation are marked for the vendor's
prompt cache: a conversation grows at its end only, so each call reads the one before from the cache. A bare prompt is
not marked, since nothing will follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rlm_core.types import Json

from .exchange import Exchange, Refused
from .images import anthropic_content
from .model_lists import offer_of
from .structured_output import structured_output
from .turns import merged
from .upstream import Offer, UpstreamCall
from .workarounds import Body

VERSION_HEADERS = {"anthropic-version": "2023-06-01"}
CACHE: Final[Mapping[str, Json]] = {"type": "ephemeral"}


class AnthropicMessages:
    """The dialect."""

    options = frozenset({"temperature", "top_p", "max_output_tokens", "reasoning_effort"})

    def path(self, model: str) -> str:
        return "/v1/messages"

    async def body(self, exchange: Exchange, call: UpstreamCall) -> Body:
        system = "\n\n".join(message.content for message in call.messages if message.role == "system")
        spoken = [message for message in call.messages if message.role != "system" and message.content]
        turns: list[dict[str, object]] = [{"role": turn.role, "content": turn.content} for turn in merged(spoken)]
        if turns and call.images:
            turns[-1]["content"] = anthropic_content(str(turns[-1]["content"]), call.images)
        elif turns and (system or len(turns) > 1):
            turns[-1] = {**turns[-1], "content": _cached(str(turns[-1]["content"]))}
        body: dict[str, object] = {
            "model": call.model,
            "max_tokens": exchange.settings.max_output_tokens,
            "messages": turns,
            **_fields(call),
            "stream": True,
        }
        return {**body, "system": _cached(system)} if system else body

    async def models(self, exchange: Exchange) -> Offer:
        seconds = exchange.settings.models_seconds
        return offer_of(exchange.name, await exchange.get_json("/v1/models?limit=1000", seconds=seconds))

    def refused(self, fault: Refused, model: str) -> bool:
        return False


def _fields(call: UpstreamCall) -> dict[str, object]:
    chosen = call.options.chosen()
    fields: dict[str, object] = {name: chosen[name] for name in ("temperature", "top_p") if name in chosen}
    if "max_output_tokens" in chosen:
        fields["max_tokens"] = chosen["max_output_tokens"]
    effort = {"effort": chosen["reasoning_effort"]} if "reasoning_effort" in chosen else {}
    config = {**effort, **structured_output("anthropic", call.schema)}
    return {**fields, "output_config": config} if config else fields


def _cached(text: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": text, "cache_control": dict(CACHE)}]
