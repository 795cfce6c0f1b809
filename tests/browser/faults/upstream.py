"""Upstream: the model of the fault tests, in the test's own process, which counts what it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Route

FAULTS = Path(__file__).with_name("faults.js").read_text()
USAGE = {"calls": 1, "input_tokens": 3, "output_tokens": 2}
Fault = Callable[[Route], None]


class Upstream:
    """Answers root calls by the number of replies that they hold, and sub-calls by `sub:<prompt>`.

    Like the server, it answers a call that it knows by its ticket from its store: `asked` holds what was paid for.

    Args:
        replies: of the root model, one an iteration.
        faults: number of a request, from 0 -> what happens to it instead of an answer.
    """

    def __init__(self, replies: Sequence[str], *, faults: dict[int, Fault] | None = None) -> None:
        self.replies = replies
        self.asked: list[str] = []
        self.requests = 0
        self._kept: set[tuple[str, str]] = set()
        self._faults = faults or {}

    def serve(self, context: BrowserContext) -> None:
        """Answer the endpoint `/scripted` of all pages of `context`."""
        context.route("**/scripted", self._answer)

    def _answer(self, route: Route) -> None:
        body: dict[str, Any] = json.loads(route.request.post_data_buffer or b"")
        number, self.requests = self.requests, self.requests + 1
        if number in self._faults:
            self._faults[number](route)
            return
        ticket = route.request.headers["idempotency-key"]
        for name in self._names(body):
            if (ticket, name) not in self._kept:
                self._kept.add((ticket, name))
                self.asked.append(name)
        route.fulfill(content_type="application/json", body=json.dumps(self._reply(body)))

    def _names(self, body: dict[str, Any]) -> list[str]:
        if "messages" in body:
            return [f"root {_replies(body)}"]
        return [body["prompt"]] if "prompt" in body else list(body["prompts"])

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        if "messages" in body:
            return {"text": self.replies[_replies(body)], "model": "root", "usage": USAGE}
        if "prompt" in body:
            return {"text": f"sub:{body['prompt']}", "model": "sub", "usage": USAGE}
        return {"results": [f"sub:{prompt}" for prompt in body["prompts"]], "usage": USAGE}


def _replies(body: dict[str, Any]) -> int:
    return sum(message["role"] == "assistant" for message in body["messages"])
