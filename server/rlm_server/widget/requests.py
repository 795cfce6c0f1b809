"""Requests: those of a notebook's pages to the kernel, over the messages of a widget.

In: messages, each a part of a request's JSON text. Out: a reply to the page that asked, with bytes beside it, or an
error in words. Nothing here knows the kinds of requests.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rlm_core import RLMError

Send: TypeAlias = Callable[[dict[str, Any], Sequence[bytes]], None]
"""Sends a message to all pages of the notebook, from any thread."""
Reply: TypeAlias = tuple[Any, Sequence[bytes]]
Answer: TypeAlias = Callable[[str, str, Any], Awaitable[Reply]]
"""Answers a request, by the name of its page, its kind and its body."""

log = logging.getLogger(__name__)


class Requests:
    """Parts of requests, joined and answered in one event loop."""

    def __init__(self, answer: Answer, send: Send) -> None:
        self._answer = answer
        self._send = send
        self._parts: dict[tuple[str, int], list[str]] = {}

    async def take(self, message: Mapping[str, Any]) -> None:
        """Take a part, `{"page", "number", "kind", "text", "last"}`; the last one is answered."""
        page, number = message["page"], message["number"]
        parts = self._parts.setdefault((page, number), [])
        parts.append(message["text"])
        if not message["last"]:
            return
        del self._parts[page, number]
        about = {"page": page, "number": number}
        try:
            value, buffers = await self._answer(page, message["kind"], json.loads("".join(parts)))
        except RLMError as fault:
            self._send({**about, "error": str(fault)}, [])
        except Exception as fault:
            log.exception("a request of the notebook's page failed by a fault of ours")
            self._send({**about, "error": f"the kernel failed: {type(fault).__name__}: {fault}"}, [])
        else:
            self._send({**about, "value": value}, buffers)
