"""The page as a laboratory: runs of the public `RLM` and of a bare worker, with scripted replies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from playwright.sync_api import Page, expect

LAB = Path(__file__).with_name("lab.js").read_text()
WEB = Path(__file__).parents[2] / "web"
FENCE = "```"
NO_SOCKET = "delete globalThis.WebSocket"
PREPARE = """async () => {
  const { prepareWorker } = await import("/rlm/boot/pool.js");
  await prepareWorker(new URL("/rlm/assets/", location.href).href);
}"""


def code(text: str) -> str:
    """A reply that holds one code block."""
    return f"Some code.\n{FENCE}repl\n{text}\n{FENCE}\n"


FINISH = code("FINAL('done')")
"""The reply of a run that is about something else."""


Replies: TypeAlias = Sequence[str | None] | Mapping[str, Sequence[str | None]]
"""Of one run, or of each run of a tree by its question; one of `None` never comes."""


def run(page: Page, replies: Replies, **job: Any) -> Any:
    """Run a question on the page; `lab.run` in lab.js tells the fields of `job` and of the result."""
    page.evaluate(LAB)
    return page.evaluate("(job) => lab.run(job)", {"replies": replies, **job})


def converse(page: Page, replies: list[str], answer_sub: str) -> Any:
    """Run `replies` on a bare worker; `answer_sub` is a JavaScript function (calls, answer, encodeFrame)."""
    page.evaluate(LAB)
    return page.evaluate(f"(replies) => lab.converse({{replies, answerSub: {answer_sub}}})", replies)


def unbundle(page: Page) -> None:
    """Load the page again from its single modules, which a test then shares with it; the models are listed."""
    page.route("**/page/app.js", lambda route: route.fulfill(path=WEB / "app.js"))
    page.reload()
    expect(page.locator("#model")).to_have_attribute("placeholder", re.compile("^Default: "))


def prepare(page: Page) -> None:
    """Have a worker ready, so that a limit of time is that of the run, and not of its start on a busy machine."""
    page.evaluate(PREPARE)


def send_requests(page: Page) -> None:
    """From now on each model call of the page is a request, for a test that routes or reads them.

    Playwright's routes see no message of a WebSocket. A page whose proxy refuses them does the same.
    """
    page.add_init_script(NO_SOCKET)
    page.evaluate(NO_SOCKET)


def printed(result: Any) -> str:
    """All that the blocks of a run printed, with their tracebacks."""
    blocks = [event["observation"] for event in result["events"] if event["type"] == "block_finished"]
    return "".join(block["stdout"] + (block["error"] or "") for block in blocks)


STUCK = """def again():
    try:
        while True: pass
    except BaseException: again()
again()"""
"""A block that no interrupt ends: its worker is replaced."""
