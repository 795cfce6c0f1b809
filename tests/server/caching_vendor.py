"""Caching vendor: a scripted vendor of Anthropic's dialect that keeps a prompt cache as the real one does."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.server.fake_upstream import Seen, Turn, anthropic_reply, events_turn, json_turn

LEAST_TOKENS = 1_024
"""Prompts below this are not kept by the vendor."""
CHARS_PER_TOKEN = 4
Reply = Callable[[int], str]
"""The number of replies so far -> the next one."""


class CachingVendor:
    """Keeps the prefixes that `cache_control` ends, and reads the longest one that a request begins with.

    Args:
        reply: the replies.
        window_tokens: window of its one model `m`, as its list of models reports it.
    """

    def __init__(self, reply: Reply, window_tokens: int = 200_000) -> None:
        self.kept: set[str] = set()
        self.calls: list[tuple[int, int]] = []
        """Input tokens of each call, and those of them that were read from the cache."""
        self._reply = reply
        self._window = window_tokens

    def __call__(self, seen: Seen) -> Turn:
        """Answer one request."""
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m", "max_input_tokens": self._window}]})
        body = seen.json()
        usage = self._usage(body)
        text = self._reply(sum(message["role"] == "assistant" for message in body["messages"]))
        if not body.get("stream"):
            return json_turn(anthropic_reply(text, usage=usage))
        return events_turn(
            {"type": "message_start", "message": {"usage": usage}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}},
            {"type": "message_stop"},
        )

    def _usage(self, body: dict[str, object]) -> dict[str, int]:
        prefix, cached, total, marked = "", 0, 0, []
        for text, is_marked in _blocks(body):
            prefix += "\0" + text
            total = len(prefix) // CHARS_PER_TOKEN
            if prefix in self.kept:
                cached = total
            if is_marked and total >= LEAST_TOKENS:
                marked.append(prefix)
        written = max((len(prefix) // CHARS_PER_TOKEN for prefix in marked), default=0)
        self.kept.update(marked)
        self.calls.append((total, cached))
        return {
            "input_tokens": total - max(cached, written),
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": max(0, written - cached),
            "output_tokens": 50,
        }


def _blocks(body: dict[str, object]) -> list[tuple[str, bool]]:
    """The text blocks of a request in the order of the vendor's prefix, and whether each is marked."""
    messages = body["messages"]
    assert isinstance(messages, list)
    contents = [body.get("system", []), *(message["content"] for message in messages)]
    listed = [content if isinstance(content, list) else [{"text": content}] for content in contents]
    return [(json.dumps(block["text"]), "cache_control" in block) for content in listed for block in content]
