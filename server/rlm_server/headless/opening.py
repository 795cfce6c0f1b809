"""Opening: the page of a server in a headless Chromium, and its end.

In: the address of a server, or a server that starts beside the browser. Out: the page; both are closed when the block
ends. The snapshot of workers is read from the user's cache and kept there, for servers of this process alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from rlm_core import RLMError

from ..assets import cache_folder, find_assets
from .browser import find_headless_browser, launch_options
from .page import Page, driver_errors
from .snapshot_file import SnapshotFile

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

START_SECONDS = 10.0
END_SECONDS = 1.0
"""Longest waits of a caller that leaves: for a driver that starts, and for the last tasks of one that failed to."""
LOOPBACK = "http://127.0.0.1"


@asynccontextmanager
async def open_page(url: str, token: str | None = None) -> AsyncIterator[Page]:
    """Open the page of the server at `url`, with its `token`, in a headless Chromium; close both at the end.

    Raises:
        BrowserMissing: there is no Chromium.
        RLMError: Playwright is not installed, or the browser or the page does not start.
    """
    async with launched(url) as browser:
        page = await new_tab(browser, token)
        await page.load(url)
        yield page


@asynccontextmanager
async def open_page_for_runs(url: str, token: str | None) -> AsyncIterator[Page]:
    """As `open_page`, with a first worker that boots at once. Nothing of the page is kept: its server is another's."""
    async with open_page(url, token) as page:
        await page.begin(None, has_spares=True, is_kept=False)
        yield page


@asynccontextmanager
async def open_own_page(server: AbstractContextManager[str], *, has_spares: bool) -> AsyncIterator[Page]:
    """As `open_page`, with a `server` of this process that starts beside the browser and ends after it.

    The first worker boots at once. Its snapshot is kept in a file for the next browser, where the block ends well.
    """
    import_driver()  # before the server's thread: its imports go on while the driver starts
    async with entered(server) as starting, launched(LOOPBACK) as browser:
        file = snapshot_file(browser.version)
        reading = asyncio.to_thread(lambda: None if file is None else file.read())
        kept, page, url = await asyncio.gather(reading, new_tab(browser, None), asyncio.shield(starting))
        await page.load(url)
        await page.begin(kept, has_spares=has_spares, is_kept=file is not None)
        yield page
        if file is not None:
            await page.keep(file)


def snapshot_file(engine: str) -> SnapshotFile | None:
    """The file of the snapshot for `engine`; `None`: the user wants none."""
    folder = cache_folder()
    if folder is None:
        return None
    return SnapshotFile(folder, (find_assets().assets / "manifest.json").read_bytes(), engine)


@asynccontextmanager
async def entered(server: AbstractContextManager[str]) -> AsyncIterator[asyncio.Task[str]]:
    """A task that enters `server` in a thread; its error is raised rather than one of the block."""
    entering = asyncio.create_task(asyncio.to_thread(server.__enter__))
    try:
        yield entering
    finally:
        await asyncio.wait([entering])
        entering.result()
        server.__exit__(None, None, None)


@asynccontextmanager
async def launched(url: str) -> AsyncIterator[Browser]:
    """A headless Chromium for a page of the server at `url`, closed at the end of the block.

    Raises:
        BrowserMissing: there is no Chromium.
        RLMError: Playwright is not installed, or the browser does not start.
    """
    import_driver()
    from playwright.async_api import Error

    async with _driver() as playwright:
        with driver_errors("The browser did not start"):
            path = find_headless_browser(playwright.chromium.executable_path)
            browser = await playwright.chromium.launch(executable_path=path, **launch_options(url))
        try:
            yield browser
        finally:
            with suppress(Error):  # it may be closed already
                await browser.close()


async def new_tab(browser: Browser, token: str | None) -> Page:
    """An empty page with a cache of its own."""
    with driver_errors("The browser did not start"):
        return Page(await browser.new_page(extra_http_headers=None if token is None else _bearer(token)))


def import_driver() -> None:
    """Import Playwright, or say how to install it."""
    try:
        import playwright.async_api  # noqa: F401 - here for its error, later by name
    except ImportError as missing:
        raise RLMError("Playwright is not installed. Run `pip install 'pyodide-rlm[headless]'`.") from missing


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def _driver() -> AsyncIterator[Playwright]:
    """Playwright's driver, a process. A caller that is cancelled while it starts waits for it, and then ends it."""
    from playwright.async_api import async_playwright

    manager, others = async_playwright(), asyncio.all_tasks()
    starting = asyncio.ensure_future(manager.start())
    try:
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting], timeout=START_SECONDS)
        if starting.done() and starting.exception() is None:
            await manager.__aexit__()
        elif left := asyncio.all_tasks() - others:  # these close its pipes
            await asyncio.wait(left, timeout=END_SECONDS)
