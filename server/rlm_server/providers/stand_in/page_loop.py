"""Page loop: the stand-in in a worker of a page, for pages without a server (worker/providers/stand_in.js).

In: two functions of the page. Out: a reply to each call, until the page has no more for this worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from rlm_core.types import Message

from .answering import reply_to


class PageCall(TypedDict):
    """A model call of the page."""

    id: int
    messages: Sequence[Mapping[str, str]]


def serve(next_call: Callable[[], PageCall | None], reply: Callable[[int, str], object]) -> None:
    """Answer calls until `next_call` gives `None`.

    >>> question = {"role": "user", "content": "Question: Who has the key?\\n\\nText:\\nAda has the key."}
    >>> serve(iter([{"id": 7, "messages": [question]}, None]).__next__, print)
    7 Ada has the key.
    """
    while (call := next_call()) is not None:
        messages = [Message(turn["role"], turn["content"]) for turn in call["messages"]]  # type: ignore[arg-type]
        reply(call["id"], reply_to(messages))
