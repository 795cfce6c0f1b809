"""Visitor: a browser context that many tests share, each of which finds it as a returning visitor would.

In: a context. Out: the same one after each test, with its caches (the interpreter's snapshot) and nothing else: no
page, no route, no cookie, no stored run. A test about a first visit opens a new context instead.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext

ERASED = "cookies,file_systems,indexeddb,local_storage,service_workers,websql"
"""All kinds of storage but `cache_storage`, in the names of the DevTools protocol."""
MAKE_SNAPSHOT = """async () => {
  const { prepareWorker } = await import("/rlm/boot/pool.js");
  await prepareWorker(new URL("/rlm/assets/", location.href).href);
}"""


class Visitor:
    """One context, and the origins that it knows; of any other one nothing is kept."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._blank = context.new_page()
        self._devtools = context.new_cdp_session(self._blank)
        self._origins: set[str] = set()

    def know(self, url: str) -> None:
        """Visit the server at `url`, unless it was visited before: later pages start from the snapshot made here."""
        if url in self._origins:
            return
        self._origins.add(url)
        page = self.context.new_page()
        page.goto(url)
        page.evaluate(MAKE_SNAPSHOT)
        page.close()

    def leave(self) -> None:
        """Undo all that a test did, but for what is cached."""
        pages = [page for page in self.context.pages if page is not self._blank]
        passed = {_origin(page.url) for page in pages} - self._origins
        for page in pages:
            page.close()
        self.context.unroute_all(behavior="ignoreErrors")
        self.context.set_offline(False)
        self.context.clear_permissions()
        for origin in self._origins:
            self._erase(origin, ERASED)
        for origin in passed:
            self._erase(origin, "all")

    def _erase(self, origin: str, kinds: str) -> None:
        self._devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
