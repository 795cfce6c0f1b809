"""Lab: the shared part of all measurements. One browser, the real server and the bench's site, each in its own process.

In: nothing. Out: a `Lab` whose methods run JavaScript of bench.js, children.js and plain.js on their pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright

from rlm_server.headless.browser import QUIET, find_browser

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ("bench.js", "children.js")


@dataclass
class Lab:
    """Open pages and addresses. `python` code of blocks reports numbers by printing them."""

    app: str
    site: str
    context: BrowserContext
    page: Page
    plain_page: Page
    devtools: CDPSession

    def bench(self, name: str, **arguments: Any) -> Any:
        return self.page.evaluate(f"(given) => bench.{name}(given)", arguments)

    def plain(self, name: str, **arguments: Any) -> Any:
        return self.plain_page.evaluate(f"(given) => plain.{name}(given)", arguments)

    def printed(self, blocks: list[str], **arguments: Any) -> list[str]:
        """Output of each block, run by `bench.converse`."""
        printed: list[str] = self.bench("converse", blocks=blocks, **arguments)["printed"]
        return printed

    def fresh_page(self) -> Page:
        page = self.context.new_page()
        page.goto(self.app)
        prepare(page)
        return page

    def renderer_bytes(self) -> int:
        """Resident memory of all renderer processes."""
        found = self.devtools.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(resident_bytes(process["id"]) for process in found if process["type"] == "renderer")


def prepare(page: Page) -> None:
    """Put `bench` into the page."""
    for name in SCRIPTS:
        page.evaluate((HERE / name).read_text())


def resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def open_lab() -> Iterator[Lab]:
    with ExitStack() as stack:
        site = stack.enter_context(process([sys.executable, "-m", "tests.bench.site"], {}))
        models = "openai:wait-0,openai:wait-100,openai:wait-1000"
        provider = {"OPENAI_BASE_URL": f"{site}/v1", "OPENAI_API_KEY": "bench", "RLM_MODELS": models}
        serve = [sys.executable, "-m", "tests.bench.server"]
        app = stack.enter_context(process(serve, {**provider, "OLLAMA_BASE_URL": "none"}))
        playwright = stack.enter_context(sync_playwright())
        arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        stack.callback(browser.close)
        context = browser.new_context()
        page, plain_page = context.new_page(), context.new_page()
        page.goto(app)
        prepare(page)
        plain_page.goto(site)
        plain_page.evaluate((HERE / "plain.js").read_text())
        yield Lab(app, site, context, page, plain_page, browser.new_browser_cdp_session())


@contextmanager
def process(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Run a server until the block ends; yield the URL that it prints."""
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        found = re.search(r"http://[\d.:]+", running.stdout.readline())
        assert found, f"{' '.join(command)} printed no URL"
        yield found.group()
    finally:
        running.terminate()
        running.wait()
