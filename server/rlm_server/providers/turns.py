"""Turns: neighbouring messages of one role as one message.

In: a conversation. Out: the same words, in which no two turns of a role follow each other. Some models' chat templates
refuse or drop turns that do not alternate, and the loop's last call puts its request after an observation: two `user`
messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from rlm_core.types import Message


def merged(messages: Sequence[Message]) -> list[Message]:
    """`messages` with neighbours of one role joined by an empty line; those without text are left out of the join.

    >>> [turn.content for turn in merged([Message("user", "Output: 7"), Message("user", "Answer now.")])]
    ['Output: 7\\n\\nAnswer now.']
    """
    return [_joined(list(turn)) for _, turn in groupby(messages, key=attrgetter("role"))]


def _joined(turn: Sequence[Message]) -> Message:
    if len(turn) == 1:
        return turn[0]
    return Message(turn[0].role, "\n\n".join(message.content for message in turn if message.content))
