"""Vendor: a provider behind a real server, scripted by the prompt, which counts the calls that were paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.server.fake_upstream import FakeUpstream, Seen, Turn, openai_turn, usage_of_all


class Vendor:
    """Answers root calls by the number of replies that they hold, and sub-calls by `sub:<prompt>`.

    Args:
        upstream: where it answers.
        replies: of the root model, one an iteration.
        faults: number of a request, from 0 -> the turn instead of an answer. It was not paid for.
    """

    def __init__(
        self, upstream: FakeUpstream, replies: Sequence[str], faults: Mapping[int, Turn] | None = None
    ) -> None:
        upstream.reset()
        upstream.answer = self._answer
        self.asked: list[str] = []
        self.requests = 0
        self._replies = replies
        self._faults = faults or {}

    def _answer(self, seen: Seen) -> Turn:
        number, self.requests = self.requests, self.requests + 1
        if number in self._faults:
            return self._faults[number]
        body = seen.json()
        name, text = self._reply(body["messages"])
        self.asked.append(name)
        return openai_turn(seen, text, usage=usage_of_all(seen))

    def _reply(self, messages: Sequence[Mapping[str, str]]) -> tuple[str, str]:
        """Name of the call, and its answer."""
        if messages[0]["role"] != "system":
            prompt = messages[0]["content"]
            return prompt, f"sub:{prompt}"
        number = sum(message["role"] == "assistant" for message in messages)
        return f"root {number}", self._replies[number]
