"""Compact: a conversation that nears the end of the model's window -> a short one that continues from a summary.

In: the conversation so far, and the summary that the model wrote of it. Out: the messages to continue with. `run.py`
asks the model, and keeps the full conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import prompts
from .types import Message

CHARS_PER_TOKEN = 4
"""Estimate for a token where the provider has not counted; English text has a little more."""

OPENING = 2
"""Messages that always stay: the system prompt, and the question with its context's description."""


def tokens(messages: Sequence[Message]) -> int:
    """Estimated tokens of `messages`.

    >>> tokens([Message("user", "x" * 400)])
    100
    """
    return sum(len(message.content) for message in messages) // CHARS_PER_TOKEN


def request(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation with the request to sum it up."""
    return (*messages, Message("user", prompts.SUMMARIZE))


def compacted(messages: Sequence[Message], summary: str) -> list[Message]:
    """The conversation to continue with: its opening, and the summary in place of all that followed."""
    return [*messages[:OPENING], Message("assistant", summary), Message("user", prompts.GO_ON)]
