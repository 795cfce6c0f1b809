"""Testing: a provider that plays a script, for tests of anything that runs the loop.

In: the root model's replies, and the sub-models' as a function. Out: a `Provider` that keeps every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from .errors import ConfigError, ProviderError
from .types import ModelCall, ModelUsage, Reply

Line: TypeAlias = str | Reply | ProviderError
"""A scripted model's reply, as text or whole, or its failure."""


class ScriptedProvider:
    """Answers root calls from a list, in order, and sub-calls by a function of the prompt.

    Args:
        replies: of the root model, one for each root call; a `ProviderError` among them fails that call.
        sub: prompt -> reply of the sub-model, or the `ProviderError` it fails with; echoes the prompt unless given.

    Attributes:
        calls: every call, in order.
        requests: number of calls of `complete`: a batch counts once.

    Raises:
        ConfigError: (from `complete`) the script has no reply left.

    >>> from .run import run
    >>> run("What is 6 * 7?", provider=ScriptedProvider(["```repl\\nFINAL(6 * 7)\\n```"])).answer
    '42'
    """

    def __init__(self, replies: Iterable[Line] = (), *, sub: Callable[[str], Line] = str) -> None:
        self.calls: list[ModelCall] = []
        self.requests = 0
        self._replies = list(replies)
        self._sub = sub
        self._asked = 0

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer from the script."""
        self.requests += 1
        self.calls += calls
        return [self._outcome(call) for call in calls]

    @property
    def root_calls(self) -> list[ModelCall]:
        """The calls that asked for an iteration's reply."""
        return [call for call in self.calls if call.kind == "root"]

    @property
    def sub_calls(self) -> list[ModelCall]:
        """The calls that model code made."""
        return [call for call in self.calls if call.kind == "sub"]

    def _outcome(self, call: ModelCall) -> Reply | ProviderError:
        said = self._next_reply() if call.kind == "root" else self._sub(call.messages[-1].content)
        if isinstance(said, ProviderError | Reply):
            return said
        prompt_chars = sum(len(message.content) for message in call.messages)
        return Reply(said, call.model or "scripted", ModelUsage(1, prompt_chars, len(said)))

    def _next_reply(self) -> Line:
        if self._asked >= len(self._replies):
            raise ConfigError(f"the script has {len(self._replies)} replies; reply {self._asked + 1} was asked for.")
        self._asked += 1
        return self._replies[self._asked - 1]
