"""Cost of containment: boot and `llm_query`, contained and not, side by side in one browser.

`python tests/bench/containment_cost.py [ROUNDS]` prints medians and their ratio. The other worker (plain_worker.js) is
the same Pyodide, core and channel without the policy, the self-test, the removed names, the capped memory and the
stand-in for `fetch`. Both are given the same transferred files; the host answers each call at once.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlm_server.headless.browser import QUIET, find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

HERE = Path(__file__).parent
PYODIDE = HERE.parents[1] / "node_modules" / "pyodide"
BUDGET = 1.10
CALLS = 2_000
FILES = {"/bench/plain_worker.js": HERE / "plain_worker.js", "/bench/measure.js": HERE / "measure.js"}


class WithBench:
    """The app, and beside it the uncontained worker with its Pyodide, without a policy."""

    def __init__(self, app: Starlette) -> None:
        self.app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if not path.startswith("/bench/"):
            await self.app(scope, receive, send)
            return
        file = FILES.get(path, PYODIDE / path.rpartition("/")[2])
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        headers = MutableHeaders(scope=start)
        headers["Content-Type"] = "application/wasm" if file.suffix == ".wasm" else "text/javascript"
        headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        await send(start)
        await send({"type": "http.response.body", "body": file.read_bytes()})


def measure(page: Page, rounds: int) -> dict[str, list[float]]:
    """Seconds to be ready and microseconds a call, of both workers in turn, so that load falls on both alike."""
    found: dict[str, list[float]] = {"boot": [], "plain boot": [], "call": [], "plain call": []}
    for _ in range(rounds):
        for prefix, script in (("", "contained"), ("plain ", "plain")):
            seen: Any = page.evaluate(
                "async ([kind, calls]) => (await import('/bench/measure.js'))[kind](calls)", [script, CALLS]
            )
            found[f"{prefix}boot"].append(seen["boot"])
            found[f"{prefix}call"].append(seen["call"])
    return found


def report(found: dict[str, list[float]]) -> str:
    lines = []
    for what, unit in (("boot", "ms"), ("call", "us")):
        contained, plain = statistics.median(found[what]), statistics.median(found[f"plain {what}"])
        name = "ready" if what == "boot" else "llm_query"
        lines.append(
            f"{name:10} contained {contained:8.1f} {unit}  plain {plain:8.1f} {unit}  ratio {contained / plain:.2f}"
        )
    return "\n".join([*lines, f"budget: a ratio of at most {BUDGET:.2f}"])


def main(arguments: list[str]) -> int:
    rounds = int(arguments[0]) if arguments else 7
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    with serving(WithBench(create_app(settings))) as url, sync_playwright() as playwright:
        options = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=find_browser(), args=options)
        page = browser.new_page()
        page.goto(url)
        measure(page, 1)  # compiles and caches
        print(report(measure(page, rounds)))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
