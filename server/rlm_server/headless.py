"""Runs without a window: the real page and worker in a headless Chromium, driven by Playwright.

In: a question, context files, options. Out: the run's result, and every event on the way. The page's own `ask()` does
the work, so a headless run and a run by hand are the same run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError, RLMError

from .browser import QUIET, find_browser

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Page

EventSink = Callable[[dict[str, Any]], None]

# The page's side of a run. It lives in the page for the length of one call; a file input hands over files of any size.
ASK = """
async ([input, question, options]) => {
  const { ask } = await import("/page/app.js");
  const stop = new AbortController();
  globalThis.rlmStop = () => stop.abort();
  try {
    const result = await ask({
      question,
      context: input.files.length ? [...input.files] : undefined,
      options: { ...options, signal: stop.signal, onEvent: globalThis.rlmEvent },
    });
    return { ok: { ...result, trajectory: result.trajectory() } };
  } catch (fault) {
    return { error: { name: fault.name, message: fault.message } };
  }
}
"""
FILE_INPUT = """() => Object.assign(document.createElement("input"), { type: "file", multiple: true })"""


@dataclass(frozen=True, slots=True)
class HeadlessResult:
    """What the page's `ask()` gave. Fields as in `RunResult`, with `trajectory` as JSONL text."""

    answer: str
    iterations: int
    total_time: float
    usage: Mapping[str, Any]
    stopped_by: str
    detail: str
    trajectory: str


class HeadlessRun:
    """One page, ready to be asked. Made by `open_page`."""

    def __init__(self, page: Page, sink: list[EventSink]) -> None:
        self._page = page
        self._sink = sink

    async def ask(
        self,
        question: str,
        *,
        context: Sequence[Path] = (),
        options: Mapping[str, Any] | None = None,
        on_event: EventSink = lambda event: None,
    ) -> HeadlessResult:
        """Ask `question` over the files of `context` and wait for the result.

        Args:
            context: files of any size; they are read in the browser, never by this process.
            options: constructor options of the page's `RLM` (`{"model": ..., "maxIterations": ...}`).
            on_event: called with each event in its JSON form.

        Raises:
            ConfigError: the page refused an argument; nothing ran.
            RLMError: the page failed; the message is its own.
        """
        self._sink[:] = [on_event]
        files = await self._file_input(context)
        outcome = await self._page.evaluate(ASK, [files, question, dict(options or {})])
        if "error" in outcome:
            kind = ConfigError if outcome["error"]["name"] == "ConfigError" else RLMError
            raise kind(outcome["error"]["message"])
        result = outcome["ok"]
        return HeadlessResult(
            answer=result["answer"],
            iterations=result["iterations"],
            total_time=result["totalTime"],
            usage=result["usage"],
            stopped_by=result["stoppedBy"],
            detail=result["detail"],
            trajectory=result["trajectory"],
        )

    async def stop(self) -> None:
        """Stop the run that is under way; `ask` then returns what there is."""
        await self._page.evaluate("globalThis.rlmStop?.()")

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript in the page and return its JSON value."""
        return await self._page.evaluate(expression)

    async def _file_input(self, paths: Sequence[Path]) -> ElementHandle:
        element = (await self._page.evaluate_handle(FILE_INPUT)).as_element()
        assert element is not None, "createElement gave no element"
        await element.set_input_files([str(path) for path in paths])
        return element


@asynccontextmanager
async def open_page(url: str) -> AsyncIterator[HeadlessRun]:
    """Open the page at `url` in a headless Chromium; close both at the end.

    Raises:
        BrowserMissing: there is no Chromium.
        RLMError: Playwright is not installed, or the page did not load.
    """
    try:
        from playwright.async_api import Error, async_playwright
    except ImportError as missing:
        raise RLMError("Playwright is not installed. Run `pip install 'pyodide-rlm[headless]'`.") from missing
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        page = await browser.new_page()
        sink: list[EventSink] = []
        await page.expose_function("rlmEvent", lambda event: sink[0](event))
        try:
            await page.goto(url)
        except Error as fault:
            raise RLMError(f"The page at {url} did not load: {fault.message}") from fault
        try:
            yield HeadlessRun(page, sink)
        finally:
            await browser.close()
