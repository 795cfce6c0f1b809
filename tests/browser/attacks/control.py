"""Control: the same snippets in a worker that nothing protects, where they must succeed.

A server of its own hands out plain Pyodide and `control.js` without a single policy.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from .canary import Canary
from .snippet import TOOLS, Snippet

HERE = Path(__file__).parent
PYODIDE = HERE.parents[2] / "node_modules" / "pyodide"
STAND_IN = "\ncontext = 'private notes'\nllm_query = lambda prompt: 'sub'\n"
LEAK_SECONDS = 5.0
PAGE = b"<!doctype html><meta charset=utf-8><title>control</title>"
START = """() => new Promise((ready, failed) => {
  globalThis.worker = new Worker("/control.js", {type: "module"});
  worker.onmessage = () => ready();
  worker.onerror = (event) => failed(new Error(event.message));
})"""
RUN = """(code) => new Promise((done) => {
  worker.onmessage = ({data}) => done(data);
  worker.postMessage({code});
})"""


class Control:
    """A page with an unprotected worker."""

    def __init__(self, page: Page, canary: Canary) -> None:
        self._page = page
        self._canary = canary
        page.evaluate(START)
        page.evaluate(RUN, TOOLS + STAND_IN)

    def leaks(self, snippet: Snippet) -> tuple[bool, str]:
        """Whether the forbidden act of `snippet` succeeds here, and its output."""
        perch = self._canary.perch()
        printed = str(self._page.evaluate(RUN, snippet.block(perch.port)))
        won = any(line.startswith("WON") for line in printed.splitlines())
        return won or perch.wait(LEAK_SECONDS if snippet.kind == "network" else 0), printed


@contextmanager
def open_control(browser: Browser, canary: Canary) -> Iterator[Control]:
    """A control, until the block ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield Control(page, canary)
    finally:
        context.close()
        server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    """`/`, `/control.js` and `/pyodide/*`, with the two headers that shared memory needs and no policy."""

    TYPES = {
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
    }

    def do_GET(self) -> None:
        path = self._file()
        found = path is None or path.is_file()
        body = PAGE if path is None else path.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html" if path is None else self.TYPES.get(path.suffix, "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self) -> Path | None:
        if self.path == "/":
            return None
        name = self.path.rpartition("/")[2]
        return PYODIDE / name if self.path.startswith("/pyodide/") else HERE / name

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
