"""Visitor: a browser context that many tests share, each of which finds it as a returning visitor would.

In: a context. Out: the same one after each test, with its caches and the key that seals them, and nothing else: no
page, no route, no cookie, no stored run. A test about a first visit opens a new context instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, CDPSession, Page, Route

ERASED = "cookies,file_systems,local_storage,service_workers"
"""Kinds of storage, in the names of the DevTools protocol; databases are erased one by one."""
KEPT_DATABASE = "pyodide-rlm-seal"
EMPTY = "/nothing"
POLICY = "content-security-policy"
MAKE_SNAPSHOT = """async () => {
  const { prepareWorker } = await import("/rlm/boot/pool.js");
  await prepareWorker(new URL("/rlm/assets/", location.href).href);
}"""


HOLD_COMPILED = """async () => {
  const { loadAssets } = await import("/rlm/boot/runtime.js");
  globalThis.held = await loadAssets(new URL("/rlm/assets/", location.href).href);
}"""
"""Later pages of the origin, in the same process, compile nothing anew."""


class Visitor:
    """One context, and a tab for each origin that it knows; of any other origin nothing is kept."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self._known: dict[str, tuple[Page, CDPSession]] = {}
        self._kept: list[Page] = []

    def know(self, url: str) -> None:
        """Visit the server at `url`, unless it was visited before: later pages start from the snapshot made here."""
        if url in self._known:
            return
        page = self.context.new_page()
        page.goto(url)
        page.evaluate(MAKE_SNAPSHOT)
        with _empty_at(page, url + EMPTY):
            page.goto(url + EMPTY)
        page.evaluate(HOLD_COMPILED)
        self._known[url] = page, self.context.new_cdp_session(page)

    @contextmanager
    def staying(self, url: str) -> Iterator[Page]:
        """A page at `url` that outlasts the tests until the block ends; they leave it as it was."""
        page = self.context.new_page()
        self._kept.append(page)
        page.goto(url)
        yield page
        self._kept.remove(page)
        page.close()

    def leave(self) -> None:
        """Undo all that a test did, except for the caches."""
        own = [*self._kept, *(page for page, _ in self._known.values())]
        pages = [page for page in self.context.pages if page not in own]
        unknown = {_origin(page.url) for page in pages if page.url.startswith("http")} - set(self._known)
        for page in pages:
            page.close()
        self.context.unroute_all(behavior="ignoreErrors")
        self.context.set_offline(False)
        self.context.clear_permissions()
        for origin, (_, devtools) in self._known.items():
            devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": ERASED})
            for name in devtools.send("IndexedDB.requestDatabaseNames", {"securityOrigin": origin})["databaseNames"]:
                if name != KEPT_DATABASE:
                    devtools.send("IndexedDB.deleteDatabase", {"securityOrigin": origin, "databaseName": name})
        if unknown:
            blank = self.context.new_page()  # there may be no tab of a known origin
            devtools = self.context.new_cdp_session(blank)
            for origin in unknown:
                devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
            blank.close()


@contextmanager
def _empty_at(page: Page, url: str) -> Iterator[None]:
    """A document of the server's origin in which nothing runs; as isolated as its pages, it shares their process."""

    def answer(route: Route) -> None:
        headers = route.fetch(url=_origin(url)).headers
        kept = {name: value for name, value in headers.items() if name != POLICY and not name.startswith("content-")}
        route.fulfill(content_type="text/html", headers=kept, body="")

    page.route(url, answer)
    yield
    page.unroute(url)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
