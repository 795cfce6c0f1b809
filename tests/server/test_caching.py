"""The vendor's prompt cache: a conversation that grows at its end is read from it, by a scripted vendor."""

from __future__ import annotations

import asyncio
import json

from rlm_core.types import Message, ModelUsage, Reply
from rlm_server.calls.registry import open_registry
from rlm_server.providers.upstream import UpstreamCall
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, anthropic_reply, json_turn

LEAST_TOKENS = 1_024
"""Prompts below this are not kept by the vendor."""


class Vendor:
    """Keeps the prefixes that `cache_control` ends, and reads the longest one that a request begins with."""

    def __init__(self) -> None:
        self.kept: set[str] = set()

    def __call__(self, seen: Seen) -> Turn:
        prefix, cached, total, marked = "", 0, 0, []
        for text, is_marked in blocks(seen.json()):
            prefix += "\0" + text
            total = len(prefix) // 4
            if prefix in self.kept:
                cached = total
            if is_marked and total >= LEAST_TOKENS:
                marked.append(prefix)
        written = max((len(prefix) // 4 for prefix in marked), default=0)
        self.kept.update(marked)
        usage = {
            "input_tokens": total - max(cached, written),
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": max(0, written - cached),
            "output_tokens": 50,
        }
        return json_turn(anthropic_reply("```repl\nprint(1)\n```" * 5, usage=usage))


def blocks(body: dict[str, object]) -> list[tuple[str, bool]]:
    """The text blocks of a request in the order of the vendor's prefix, and whether each is marked."""
    messages = body["messages"]
    assert isinstance(messages, list)
    contents = [body.get("system", []), *(message["content"] for message in messages)]
    listed = [content if isinstance(content, list) else [{"text": content}] for content in contents]
    return [(json.dumps(block["text"]), "cache_control" in block) for content in listed for block in content]


def test_four_fifths_of_the_input_of_ten_iterations_are_read_from_the_cache(upstream: FakeUpstream) -> None:
    upstream.answer = Vendor()

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
    upstream.answer = Vendor()

    async def ask() -> None:
        async with open_registry(settings_for(upstream)) as registry:
            answerer, name = await registry.find("anthropic:m")
            async for _ in answerer.stream(UpstreamCall((Message("user", "q"),), name)):
                pass

    asyncio.run(ask())
    assert "cache_control" not in upstream.seen[-1].body.decode()
