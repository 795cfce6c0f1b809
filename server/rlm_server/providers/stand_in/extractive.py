"""Extractive: `builtin:extractive`, the stand-in for a language model that needs no key and no network.

In: a conversation. Out: the reply of `answering.py`, as a provider of the server gives it. It is NOT a language model
and understands nothing. It is deterministic, keeps nothing between calls, and reports 0 tokens, since it counts none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rlm_core.types import Message, ModelUsage, Reply

from ..upstream import Offer, OfferedModel, Pieces, UpstreamCall, UpstreamError
from .answering import reply_to

PROVIDER = "builtin"
MODEL = "extractive"
DELTAS = 6


class Extractive:
    """The provider `builtin`, with its one model `extractive`."""

    @property
    def name(self) -> str:
        """`"builtin"`."""
        return PROVIDER

    @property
    def options(self) -> frozenset[str]:
        """None: it samples nothing."""
        return frozenset()

    async def models(self) -> Offer:
        """Its one model."""
        return Offer((OfferedModel(MODEL),))

    async def complete(self, messages: Sequence[Message], model: str) -> Reply:
        """Answer `messages`: as root model when they are a run's conversation, else as sub model.

        Raises:
            UpstreamError: there is no such model.
        """
        if model != MODEL:
            message = f"There is no model {PROVIDER}:{model}. Use {PROVIDER}:{MODEL}."
            raise UpstreamError(message, kind="model-unknown", upstream=PROVIDER, status=404)
        text = await asyncio.to_thread(reply_to, tuple(messages))
        return Reply(text, model=f"{PROVIDER}:{MODEL}", usage=ModelUsage(calls=1, cost=0.0), finish_reason="stop")

    async def stream(self, call: UpstreamCall) -> Pieces:
        """Answer as `complete` does, in at most `DELTAS` pieces cut at line ends."""
        reply = await self.complete(call.messages, call.model)
        lines = reply.text.splitlines(keepends=True)
        step = max(1, -(-len(lines) // DELTAS))
        for first in range(0, len(lines), step):
            yield "".join(lines[first : first + step])
        yield reply
