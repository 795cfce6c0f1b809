"""Upstream: the model of the fault tests, in the process of the test, which counts its calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Route

FAULTS = Path(__file__).with_name("faults.js").read_text()
USAGE = {"calls": 1, "input_tokens": 3, "output_tokens": 2}
Fault = Callable[[Route], None]


class Upstream:
    """Answers root calls by the number of replies that they hold, and sub-calls by `sub:<prompt>`.

    Like the server, it answers a call whose idempotency key it knows from its store: `asked` holds the paid calls.

    Args:
        replies: of the root model, one an iteration.
        faults: number of a request, from 0 -> its fault instead of an answer.
    """

    def __init__(self, replies: Sequence[str], *, faults: dict[int, Fault] | None = None) -> None:
        self.replies = replies
        self.asked: list[str] = []
        self.requests = 0
        self._kept: set[tuple[str, str]] = set()
        self._faults = faults or {}

    def serve(self, context: BrowserContext, endpoint: str = "/scripted") -> None:
        """Answer `endpoint` of all pages of `context`, through Playwright: for faults, and for other paths."""
        context.route(f"**{endpoint}", self._answer)

    def answer(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """The reply to a call, which is paid for unless its idempotency key is known."""
        for name in self._names(body):
            if (key, name) not in self._kept:
                self._kept.add((key, name))
                self.asked.append(name)
        return self._reply(body)

    def _answer(self, route: Route) -> None:
        number, self.requests = self.requests, self.requests + 1
        if number in self._faults:
            self._faults[number](route)
            return
        body: dict[str, Any] = json.loads(route.request.post_data_buffer or b"")
        reply = self.answer(body, route.request.headers["idempotency-key"])
        route.fulfill(content_type="application/json", body=json.dumps(reply))

    def _root_reply(self, body: dict[str, Any]) -> str:
        return self.replies[_replies(body)]

    def _names(self, body: dict[str, Any]) -> list[str]:
        if "messages" in body:
            return [f"root {_replies(body)}"]
        return [body["prompt"]] if "prompt" in body else list(body["prompts"])

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        if "messages" in body:
            return {"text": self._root_reply(body), "model": "root", "usage": USAGE}
        if "prompt" in body:
            return {"text": f"sub:{body['prompt']}", "model": "sub", "usage": USAGE}
        return {"results": [f"sub:{prompt}" for prompt in body["prompts"]], "usage": USAGE}


class TreeUpstream(Upstream):
    """The same for a tree of runs: `runs` are the replies of each, by its question; calls are named by both."""

    def __init__(self, runs: Mapping[str, Sequence[str]]) -> None:
        super().__init__([])
        self.runs = runs

    def _root_reply(self, body: dict[str, Any]) -> str:
        return self.runs[self._question(body)][_replies(body)]

    def _names(self, body: dict[str, Any]) -> list[str]:
        return [f"{self._question(body)} {_replies(body)}"] if "messages" in body else super()._names(body)

    def _question(self, body: dict[str, Any]) -> str:
        opening = body["messages"][1]["content"]
        return next(question for question in self.runs if question in opening)


def _replies(body: dict[str, Any]) -> int:
    return sum(message["role"] == "assistant" for message in body["messages"])
