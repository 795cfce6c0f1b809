"""Two pages for the faults of a run: one outlasts all tests of a file, the other is for one test that reloads it.

In: the real server. Out: pages of its origin and policy with `faults` in them, and with nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.browser.faults.upstream import FAULTS
from tests.browser.lab import send_requests
from tests.browser.scripted_endpoint import EMPTY
from tests.browser.visitor import Visitor

WORKER = Path(__file__).parents[3] / "worker"
IMPATIENT = {
    "wire/protocol.js": {"WORKER_IDLE_TIMEOUT_MS": 4_000, "BLOCK_GRACE_MS": 500},
    "calls/retries.js": {"FIRST_WAIT_MS": 100},
}
"""Limits of the host by module, shortened: two heartbeats of a worker, the time in which an interrupted block must end,
and the wait before a request is sent again."""

NO_SPARES = "Object.defineProperty(navigator, 'deviceMemory', {value: 1})"
"""On a device with little memory no worker is booted that a run does not need."""


@pytest.fixture(scope="module")
def lasting_page(visitor: Visitor, served: str) -> Iterator[Page]:
    """A page under the `IMPATIENT` limits, for tests after which it is as before: its modules are loaded once."""
    with impatient_page(visitor, served, served + EMPTY) as page:
        page.evaluate(FAULTS)
        yield page


@pytest.fixture
def bare_page(visitor: Visitor, context: BrowserContext, served: str) -> Page:
    """A page that may be reloaded; a spare worker would be lost with it, so none is booted."""
    visitor.know(served)
    page = context.new_page()
    page.add_init_script(NO_SPARES)
    page.add_init_script(FAULTS)
    page.goto(served + EMPTY)
    return page


@contextmanager
def impatient_page(visitor: Visitor, server: str, url: str, *, by_requests: bool = False) -> Iterator[Page]:
    """A page at `url` under the `IMPATIENT` limits; `by_requests`: each model call is a request."""
    visitor.know(server)
    with visitor.staying(url) as page:
        if by_requests:
            send_requests(page)
        load_impatient(page)
        yield page


def load_impatient(page: Page) -> None:
    """Load the public `RLM` into a page, which has loaded no module before, under the `IMPATIENT` limits."""

    def shortened(route: Route) -> None:
        name = route.request.url.partition("/rlm/")[2]
        route.fulfill(content_type="text/javascript", body=_with_limits((WORKER / name).read_text(), IMPATIENT[name]))

    for module in IMPATIENT:
        page.route(f"**/rlm/{module}", shortened)
    page.evaluate("async () => void (await import('/rlm/rlm.js'))")
    page.unroute_all()


def _with_limits(text: str, limits: Mapping[str, int]) -> str:
    for name, milliseconds in limits.items():
        text, count = re.subn(rf"(?<=const {name} = )[\d_]+", str(milliseconds), text)
        assert count == 1, name
    return text
