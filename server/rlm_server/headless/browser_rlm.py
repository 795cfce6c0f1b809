"""Runs without a window: the real page and worker in a headless Chromium, driven by Playwright.

In: a question, a context, tools, options. Out: the run's result, and every event on the way. The page's own `ask()`
does the work, so a headless run and a run by hand are the same run. `BrowserRLM` is the whole of it for a program.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError, ReplayError, RLMError

from .browser import QUIET, find_browser
from .context_upload import Tools, Upload, uploaded

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Page

EventSink = Callable[[dict[str, Any]], None]
OnEgress = Callable[[dict[str, Any]], object]
"""Takes a request before it leaves, as `RLMEgressRequest` of rlm.d.ts without its signal; gives `"allow"`, `"deny"` or
`{"deny": reason}`, also from a coroutine."""

ASK = """async ([input, job]) => (await import("/page/headless.js")).ask(input, job)"""
STOP = """async () => (await import("/page/headless.js")).stop()"""
FAULTS: Mapping[str, type[RLMError]] = {"ConfigError": ConfigError, "ReplayError": ReplayError}
FILE_INPUT = """() => Object.assign(document.createElement("input"), { type: "file", multiple: true })"""


@dataclass(frozen=True, slots=True)
class HeadlessResult:
    """Result of the page's `ask()`. Fields as in `RunResult`; `trajectory` is JSONL text, `egress` an `RLMEgress`."""

    answer: str
    iterations: int
    total_time: float
    usage: Mapping[str, Any]
    stopped_by: str
    detail: str
    trajectory: str
    egress: Mapping[str, Any]
    usage_by_path: Mapping[str, Mapping[str, Any]]
    fault: Mapping[str, Any] | None


class HeadlessRun:
    """One page, ready for a run. Made by `open_page`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._on_event: EventSink = lambda event: None
        self._tools = Tools({})
        self._on_egress: OnEgress | None = None

    async def connect(self) -> None:
        """Give the page its ways back: events, calls of tools, and whether calls may leave."""
        await self._page.expose_function("rlmEvent", lambda event: self._on_event(event))
        await self._page.expose_function("rlmTool", self._call)
        await self._page.expose_function("rlmEgress", self._may_leave)

    async def ask(
        self,
        question: str,
        *,
        context: object = None,
        tools: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        on_event: EventSink = lambda event: None,
        on_egress: OnEgress | None = None,
    ) -> HeadlessResult:
        """Ask `question` over `context` and wait for the result.

        Args:
            question: text of the question.
            context: a path or paths of files and folders, of any size: the browser reads them, never this process; or
                text, bytes, JSON.
            tools: name -> a JSON value, a function, or `{"tool": either, "description": text}`.
            options: constructor options of the page's `RLM` (`{"model": ..., "maxIterations": ...}`).
            on_event: called with each event in its JSON form.
            on_egress: decides before each request leaves; a failure, or any other value, denies it.

        Raises:
            ConfigError: the page refused an argument; nothing ran.
            ReplayError: the run was to be made from a log, and does not go as the recorded one.
            RLMError: the page failed; the message is its own.
        """
        self._on_event, self._tools, self._on_egress = on_event, Tools(tools or {}), on_egress
        chosen = dict(options or {}) | ({"tools": self._tools.declared} if tools else {})
        chosen |= {} if on_egress is None else {"onEgress": True}
        with uploaded(context) as files:
            job = {"kind": files.kind, "names": files.names, "question": question, "options": chosen}
            outcome = await self._page.evaluate(ASK, [await self._file_input(files), job])
        if "error" in outcome:
            raise FAULTS.get(outcome["error"]["name"], RLMError)(outcome["error"]["message"])
        result = outcome["ok"]
        return HeadlessResult(
            answer=result["answer"],
            iterations=result["iterations"],
            total_time=result["totalTime"],
            usage=result["usage"],
            stopped_by=result["stoppedBy"],
            detail=result["detail"],
            trajectory=result["trajectory"],
            egress=result["egress"],
            usage_by_path=result["usageByPath"],
            fault=result["fault"],
        )

    async def stop(self) -> None:
        """Stop the run that is under way; `ask` then returns the partial result."""
        await self._page.evaluate(STOP)

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript in the page and return its JSON value."""
        return await self._page.evaluate(expression)

    async def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": await self._tools.call(name, args, kwargs), "error": None}
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; model code gets its message
            return {"result": None, "error": str(fault)}

    async def _may_leave(self, request: dict[str, Any]) -> object:
        if self._on_egress is None:
            return "deny"
        try:
            if inspect.iscoroutinefunction(self._on_egress):
                return await self._on_egress(request)
            return await asyncio.to_thread(self._on_egress, request)
        except Exception as fault:  # noqa: BLE001 - the caller's function may raise anything; then it has denied
            return {"deny": f"on_egress failed: {fault}"}

    async def _file_input(self, files: Upload) -> ElementHandle:
        element = (await self._page.evaluate_handle(FILE_INPUT)).as_element()
        assert element is not None, "createElement gave no element"
        await element.set_input_files([str(path) for path in files.paths])
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
        run = HeadlessRun(page)
        await run.connect()
        try:
            await page.goto(url)
        except Error as fault:
            raise RLMError(f"The page at {url} did not load: {fault.message}") from fault
        try:
            yield run
        finally:
            await browser.close()


class BrowserRLM:
    """An RLM for Python programs: model code runs contained in a headless browser, never in this process.

    Args:
        url: address of a running server; without it one is started.
        on_egress: decides before each request leaves, as of `HeadlessRun.ask`.
        options: constructor options of the JavaScript `RLM` for each run (`model="...", maxIterations=10`).

    >>> async def main():  # doctest: +SKIP
    ...     async with BrowserRLM(maxDepth=2) as rlm:
    ...         result = await rlm.run("Who?", context=Path("book.txt"), tools={"today": lambda: "Monday"})
    """

    def __init__(self, url: str | None = None, *, on_egress: OnEgress | None = None, **options: Any) -> None:
        self._url = url
        self._on_egress = on_egress
        self._options = options
        self._open = AsyncExitStack()
        self._page: HeadlessRun | None = None

    async def __aenter__(self) -> BrowserRLM:
        url = self._url or self._open.enter_context(_own_server())
        self._page = await self._open.enter_async_context(open_page(url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._page = None
        await self._open.aclose()

    async def run(
        self,
        question: str,
        *,
        context: object = None,
        tools: Mapping[str, Any] | None = None,
        on_event: EventSink = lambda event: None,
        **options: Any,
    ) -> HeadlessResult:
        """Answer `question`; arguments and errors as of `HeadlessRun.ask`. One run at a time.

        Raises:
            ConfigError: it is not open, or an argument is impossible.
        """
        if self._page is None:
            raise ConfigError("BrowserRLM is not open: use it in `async with BrowserRLM() as rlm:`.")
        chosen = {**self._options, **options}
        return await self._page.ask(
            question, context=context, tools=tools, options=chosen, on_event=on_event, on_egress=self._on_egress
        )

    async def events(self, question: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Run as `run` does, and give each event as it happens; the last one is the root's `run_finished`.

        A loop that is left early stops the run.
        """
        waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        running = asyncio.create_task(self.run(question, on_event=waiting.put_nowait, **arguments))
        running.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            while (event := await waiting.get()) is not None:
                yield event
        finally:
            if not running.done():
                await self.stop()
            await running

    async def stop(self) -> None:
        """Stop the run that is under way; `run` then returns the partial result."""
        if self._page is not None:
            await self._page.stop()


class BlockingBrowserRLM:
    """`BrowserRLM` for programs without an event loop: `with BlockingBrowserRLM() as rlm: rlm.run(...)`."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._rlm = BrowserRLM(url, **options)
        self._open = ExitStack()

    def __enter__(self) -> BlockingBrowserRLM:
        self._runner = self._open.enter_context(asyncio.Runner())
        self._runner.run(self._rlm.__aenter__())
        self._open.callback(lambda: self._runner.run(self._rlm.__aexit__(None, None, None)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def run(self, question: str, **arguments: Any) -> HeadlessResult:
        """As `BrowserRLM.run`."""
        return self._runner.run(self._rlm.run(question, **arguments))


def _own_server() -> AbstractContextManager[str]:
    from ..http.app import create_app
    from ..http.serving import serving
    from ..settings import load_settings

    # The token is for servers that others reach: this one is on a free port, for the page of this run alone.
    settings = load_settings(host="127.0.0.1", port=0).model_copy(update={"token": None})
    return serving(create_app(settings), host="127.0.0.1", port=0)
