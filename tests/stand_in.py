"""Stand-in: the built-in extractive model as a provider for `rlm_core.run`, without a server between them."""

from __future__ import annotations

from collections.abc import Sequence

from rlm_core.types import ModelCall, Reply
from rlm_server.providers.stand_in.answering import reply_to


class StandIn:
    """Answers root calls and sub-calls as `builtin:extractive` does, and keeps the prompts of the latter."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply]:
        """Answer every call, one after another."""
        self.prompts += [call.messages[-1].content for call in calls if call.kind == "sub"]
        return [Reply(reply_to(call.messages), "builtin:extractive") for call in calls]
