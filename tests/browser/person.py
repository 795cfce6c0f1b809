"""A person at the page: asks, drops files, presses keys, waits. The model is scripted where its calls leave the tab."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.lab import send_requests

ENDED_MS = 60_000


FENCE = "```"


class ScriptedModel:
    """Answers the page's calls to `/api/rlm`: root calls from `replies` in order, sub-calls by `answer_sub`.

    `hold` names the root calls, from 0, that are not answered until `release`.
    """

    def __init__(
        self,
        page: Page,
        replies: Sequence[str],
        *,
        answer_sub: Callable[[str], str] = lambda prompt: "a reply",
        hold: Sequence[int] = (),
    ) -> None:
        self.page = page
        self.replies = list(replies)
        self.answer_sub = answer_sub
        self.hold = hold
        self.asked = 0
        self.held: list[Route] = []
        send_requests(page)
        page.route("**/api/rlm", self._answer)

    def release(self) -> None:
        """Answer the root call that is held."""
        self._reply(self.next_held())

    def next_held(self) -> Route:
        """The next root call that is held; an iteration is shown before its call has left the tab."""
        for _ in range(ENDED_MS // 50):
            if self.held:
                return self.held.pop(0)
            self.page.wait_for_timeout(50)
        pytest.fail("no root call was held")

    def _answer(self, route: Route, request: Request) -> None:
        body = _body(request)
        if body.get("type") == "batch":
            lines = [_item(index, self.answer_sub(prompt)) for index, prompt in enumerate(body["prompts"])]
            _fulfill(route, "application/x-ndjson", "\n".join(map(json.dumps, [*lines, {"done": True}])) + "\n")
        elif body.get("messages", [{}])[0].get("role") != "system":
            self._send(route, self.answer_sub(json.dumps(body)))
        elif self.asked in self.hold:
            self.held.append(route)
            self.asked += 1
        else:
            self.asked += 1
            self._reply(route)

    def _reply(self, route: Route) -> None:
        self._send(route, self.replies.pop(0))

    def _send(self, route: Route, text: str) -> None:
        if not _body(route.request).get("stream"):
            _fulfill(route, "application/json", json.dumps(_item(0, text)))
            return
        events = [{"delta": text}, {"done": True, **_item(0, text)}]
        _fulfill(route, "text/event-stream", "".join(f"data: {json.dumps(event)}\n\n" for event in events))


def _body(request: Request) -> dict[str, Any]:
    return dict(json.loads(request.post_data or "{}"))


def _item(index: int, text: str) -> dict[str, Any]:
    usage = {"calls": 1, "input_tokens": 10, "output_tokens": 5}
    return {"index": index, "text": text, "model": "builtin:extractive", "usage": usage}


def _fulfill(route: Route, kind: str, body: str) -> None:
    isolation = {"Cross-Origin-Resource-Policy": "same-origin", "Content-Type": kind}
    route.fulfill(status=200, headers=isolation, body=body)


def code(text: str) -> str:
    """A reply that holds one code block."""
    return f"Here is some code.\n{FENCE}repl\n{text}\n{FENCE}\n"


def drop_file(page: Page, name: str, text: str) -> None:
    """Drop a file on the context, as the browser reports it."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const data = new DataTransfer(); data.items.add(new File([text], name)); return data; }",
        [name, text],
    )
    page.dispatch_event("fieldset.context", "drop", {"dataTransfer": transfer})
    expect(page.locator(".attachments")).to_contain_text(name)


def ask(page: Page, question: str = "How many?") -> None:
    page.fill("#question", question)
    page.click("#run")


def ended(page: Page) -> None:
    expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=ENDED_MS)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on `selector`."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no Tab stop leads to {selector}")
