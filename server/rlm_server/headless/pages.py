"""Pages: several pages of one headless browser, each in a renderer of its own.

In: the address of a server, or a server that starts with the first page. Out: pages that are ready for runs. A browser
that is gone is started again for the next page. Which page has which run is the pool's business; see `pool.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .opening import LOOPBACK, entered, import_driver, launched, snapshot_file
from .page import Page, driver_errors
from .snapshot_file import SnapshotFile

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext
    from playwright.async_api import Page as DriverPage

CLOSE_SECONDS = 5.0
"""Longest wait for a page or a browser that is closed."""


class PoolPage(Page):
    """A page of the pool.

    Attributes:
        runs: runs that it has begun.
        is_lost: its renderer or its browser is gone.
    """

    def __init__(self, page: DriverPage) -> None:
        super().__init__(page)
        self.runs = 0
        self.is_lost = False
        page.on("crash", self._lose)
        page.on("close", self._lose)

    async def close(self) -> None:
        """Close it, and end its renderer; one that is gone already is no fault."""
        from playwright.async_api import Error

        with suppress(Error, TimeoutError):
            await asyncio.wait_for(self._page.close(), CLOSE_SECONDS)

    def _lose(self, page: DriverPage) -> None:
        self.is_lost = True


class Pages:
    """Opens pages, in an `async with` block; all are closed at its end.

    Args:
        url: address of a running server, with its `token`.
        server: started with the first page where there is no `url`; its snapshot of workers is kept in a file.
    """

    def __init__(self, url: str | None, token: str | None, server: AbstractContextManager[str] | None) -> None:
        self._url = url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._server = server
        self._outer, self._inner = AsyncExitStack(), AsyncExitStack()
        self._context: BrowserContext | None = None
        self._turn = asyncio.Lock()
        self._file: SnapshotFile | None = None
        self._kept: Path | None = None
        self._is_first = True

    async def __aenter__(self) -> Pages:
        import_driver()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._inner.aclose()
        await self._outer.aclose()

    async def open(self) -> PoolPage:
        """A page that boots its first worker.

        Raises:
            BrowserMissing: there is no Chromium.
            RLMError: Playwright is not installed, or the browser or the page does not start.
        """
        async with self._turn:  # one after the other: the first makes the snapshot that the others start from
            context = await self._browser_context()
            with driver_errors("The browser did not start"):
                page = PoolPage(await context.new_page())
            try:
                assert self._url is not None, "the server has started"
                await page.load(self._url)
                if self._server is not None:
                    await self._begin(page)
            except BaseException:
                await page.close()
                raise
            return page

    async def _begin(self, page: PoolPage) -> None:
        await page.begin(self._kept, has_spares=True, is_kept=self._file is not None)
        if self._is_first and self._file is not None:
            await page.keep(self._file)
            self._kept = await asyncio.to_thread(self._file.read)
        self._is_first = False

    async def _browser_context(self) -> BrowserContext:
        if self._context is not None and self._context.browser is not None and self._context.browser.is_connected():
            return self._context
        await self._inner.aclose()
        self._context, self._inner = None, AsyncExitStack()
        if self._url is None:
            assert self._server is not None, "without an address there is a server"
            self._url = await (await self._outer.enter_async_context(entered(self._server)))
        browser = await self._inner.enter_async_context(launched(LOOPBACK if self._server else self._url))
        if self._server is not None and self._file is None:
            self._file = snapshot_file(browser.version)
            self._kept = None if self._file is None else await asyncio.to_thread(self._file.read)
        with driver_errors("The browser did not start"):
            self._context = await browser.new_context(extra_http_headers=self._headers)
        return self._context
