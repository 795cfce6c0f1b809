"""Chosen code: the provider `code`, which runs the Python that a caller chose and asks no model.

In: code, under a name that stands in the question of a run. Out: as root model first that code, then the end of the
run. So it runs where model code does, in the contained worker, with its limits and its log. It is known to the server
of the process that has it, and to nobody else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from rlm_core.types import ModelUsage, Reply

from ..providers.upstream import Offer, Pieces, UpstreamCall, UpstreamError

PROVIDER = "code"
MODEL = f"{PROVIDER}:python"
NAME = re.compile(r"code-[0-9a-f]{24}")
END = "```repl\nFINAL('The code ran.')\n```"


class ChosenCode:
    """The provider, and the blocks of code that wait for their run."""

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, ...]] = {}

    @property
    def name(self) -> str:
        """`"code"`."""
        return PROVIDER

    @property
    def options(self) -> frozenset[str]:
        """None: it samples nothing."""
        return frozenset()

    async def models(self) -> Offer:
        """None that anybody could choose."""
        return Offer()

    @contextmanager
    def named(self, *code: str) -> Iterator[str]:
        """The question whose run executes the blocks `code`, for as long as the `with` block lasts."""
        name = f"code-{secrets.token_hex(12)}"
        self._code[name] = code
        try:
            yield f"Run {name}."
        finally:
            del self._code[name]

    async def stream(self, call: UpstreamCall) -> Pieces:
        """The code that waits under a name in the conversation, then the end.

        Raises:
            UpstreamError: no code waits under a name in it.
        """
        found = ((index, name) for index, turn in enumerate(call.messages) for name in NAME.findall(turn.content))
        named = [(index, name) for index, name in found if name in self._code]  # the prompt lists earlier ones too
        if not named:
            raise UpstreamError("No code waits under this name.", kind="call-refused", upstream=PROVIDER, status=400)
        at, name = named[-1]
        has_run = any(message.role == "assistant" for message in call.messages[at + 1 :])
        text = END if has_run else "\n".join(map(fenced, self._code[name]))
        yield text
        yield Reply(text, model=MODEL, usage=ModelUsage(calls=1, cost=0.0), finish_reason="stop")


def fenced(code: str) -> str:
    """`code` as a block, in a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}repl\n{code}\n{fence}"
