"""The vendor's prompt cache: a conversation that grows at its end is read from it, by a scripted vendor."""

from __future__ import annotations

import asyncio

from rlm_core.types import Message, ModelUsage, Reply
from rlm_server.calls.registry import open_registry
from rlm_server.providers.upstream import UpstreamCall
from tests.server.caching_vendor import CachingVendor
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream


def test_four_fifths_of_the_input_of_ten_iterations_are_read_from_the_cache(upstream: FakeUpstream) -> None:
    upstream.answer = CachingVendor(lambda _: "```repl\nprint(1)\n```" * 5)

    async def run() -> ModelUsage:
        used = ModelUsage()
        conversation = [Message("system", "You have a REPL. " * 400), Message("user", "How many lines?")]
        async with open_registry(settings_for(upstream)) as registry:
            answerer, name = await registry.find("anthropic:m")
            for iteration in range(10):
                async for piece in answerer.stream(UpstreamCall(tuple(conversation), name)):
                    if isinstance(piece, Reply):
                        used += piece.usage
                        conversation.append(Message("assistant", piece.text))
                conversation.append(Message("user", f"Output {iteration}: " + "line of output\n" * 40))
        return used

    used = asyncio.run(run())
    assert used.calls == 10
    assert used.cached_tokens >= 0.8 * used.input_tokens


def test_a_bare_prompt_is_not_marked(upstream: FakeUpstream) -> None:
    upstream.answer = CachingVendor(lambda _: "```repl\nprint(1)\n```" * 5)

    async def ask() -> None:
        async with open_registry(settings_for(upstream)) as registry:
            answerer, name = await registry.find("anthropic:m")
            async for _ in answerer.stream(UpstreamCall((Message("user", "q"),), name)):
                pass

    asyncio.run(ask())
    assert "cache_control" not in upstream.seen[-1].body.decode()
