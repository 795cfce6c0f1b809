"""Faults of the way to the model: the call is asked again, the run ends as undisturbed, and nothing is paid for twice.

Between page and model stand a real server and a scripted vendor. A fault happens at the vendor, between page and
server, or to the server itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from rlm_core.events import CallFinished
from rlm_core.trajectory import read
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.faults.conftest import impatient_page
from tests.browser.faults.vendor import Vendor
from tests.browser.lab import code, prepare, send_requests
from tests.browser.visitor import Visitor
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, openai_deltas

TOLD_MS = 120_000
FIRST = "x = llm_query('one'); answer['content'] = 'half of it'"
QUERY = "y = llm_query('two')"
BATCH = "y = ' '.join(llm_batch(['two', 'three']))"
AGAIN = "print('third block', y)"
LAST = "FINAL(x + ' ' + y)"
ROOT, CALL = 2, 3
"""Requests at the vendor, from 0: the second root call, and the first call of the second block."""

START = """(options) => {
  globalThis.seen = [];
  const run = async () => {
    const { RLM } = await import("/rlm/rlm.js");
    const tools = { gate: () => new Promise((open) => { globalThis.openGate = open; }) };
    const rlm = new RLM({ tools, onEvent: (event) => seen.push(event), ...options });
    const result = await rlm.run("What?");
    return { ...result, trajectory: result.trajectory() };
  };
  globalThis.running = run();
}"""


def replies(block: str, again: str = AGAIN) -> list[str]:
    return [code(FIRST), code(block), code(again), code(LAST)]


def start(page: Page, **options: Any) -> None:
    """Begin a run, and leave it to itself."""
    page.evaluate(START, options)


def told(page: Page, condition: str) -> None:
    """Wait until an `event` of the run that is under way meets the JavaScript `condition`."""
    page.wait_for_function(f"() => seen.some((event) => {condition})", timeout=TOLD_MS)


def ended(page: Page) -> Any:
    return page.evaluate("() => running")


def noticed(page: Page) -> str:
    return " ".join(page.evaluate("seen.filter(({type}) => type === 'notice').map(({text}) => text)"))


def check(result: Any, vendor: Vendor, *, batch: bool = False) -> None:
    """The run ended as an undisturbed one, its log is whole and says each call once, and nothing was paid for twice."""
    subs = ["one", "two", "three"] if batch else ["one", "two"]
    assert (result["stoppedBy"], result["fault"]) == ("final_answer", None), result["detail"]
    assert result["answer"] == " ".join(f"sub:{prompt}" for prompt in subs)
    assert sorted(vendor.asked) == sorted([*subs, *(f"root {number}" for number in range(4))])
    log = read(result["trajectory"].splitlines())
    assert [event.seq for event in log.events] == list(range(len(log.events)))
    answered = [event.call for event in log.events if isinstance(event, CallFinished) and event.error is None]
    assert sorted(answered) == list(range(len(vendor.asked)))
    assert sum(used["calls"] for used in result["usage"].values()) == len(vendor.asked)


@pytest.fixture(scope="module")
def url(upstream: FakeUpstream) -> Iterator[str]:
    """A server that tries nothing again by itself, so that each fault reaches the page."""
    waits = {"retries": 0, "first_byte_seconds": 3.0, "total_seconds": 60.0, "models": "openai:m"}
    with serving(create_app(settings_for(upstream, **waits)), drain_seconds=0) as address:
        yield address


@pytest.fixture
def page(visitor: Visitor, context: BrowserContext, url: str) -> Page:
    visitor.know(url)
    opened = context.new_page()
    opened.goto(url)
    return opened


@pytest.fixture(scope="module")
def lasting_page(visitor: Visitor, url: str) -> Iterator[Page]:
    """A page for tests after which it is as before."""
    with impatient_page(visitor, url, url) as page:
        yield page


@pytest.fixture(scope="module")
def requesting_page(visitor: Visitor, url: str) -> Iterator[Page]:
    """The same, where each model call is a request."""
    with impatient_page(visitor, url, url, by_requests=True) as page:
        yield page


# ---------------------------------------------------------------------------------------------------------- the vendor

EVENTS = {"Content-Type": "text/event-stream"}
SLOW_DOWN = Turn(status=429, headers={"Retry-After": "1"})
PASSING = {
    "hangs": [Turn(silent=True)],
    "answers 429": [SLOW_DOWN],
    "answers 429 again and again": [SLOW_DOWN] * 3,
    "answers 500": [Turn(status=500)],
    "cuts its stream": [Turn(headers=EVENTS, chunks=events_turn(*openai_deltas("ha", "lf")).chunks[:1], cut=True)],
    "closes the connection": [Turn(raw=b"")],
}
PLACES = {"a root call": (ROOT, QUERY), "a sub-call": (CALL, QUERY), "a call of a batch": (CALL, BATCH)}


@pytest.mark.parametrize(("at", "block"), PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("turns", PASSING.values(), ids=PASSING.keys())
def test_a_vendor_that_fails_for_a_while(
    lasting_page: Page, upstream: FakeUpstream, turns: list[Turn], at: int, block: str
) -> None:
    vendor = Vendor(upstream, replies(block), {at + number: turn for number, turn in enumerate(turns)})
    start(lasting_page)
    check(ended(lasting_page), vendor, batch=block == BATCH)


GARBAGE = Turn(chunks=(b"<html>welcome</html>",))
AN_HOUR = Turn(status=429, headers={"Retry-After": "3600"})
LASTING = {"answers garbage": (GARBAGE, "upstream-malformed"), "asks for an hour": (AN_HOUR, "upstream-rate-limited")}


@pytest.mark.parametrize(("turn", "fault"), LASTING.values(), ids=LASTING.keys())
def test_a_fault_that_does_not_pass_is_raised_in_model_code_which_may_ask_again(
    lasting_page: Page, upstream: FakeUpstream, turn: Turn, fault: str
) -> None:
    vendor = Vendor(upstream, replies(f"try: {QUERY}\nexcept SubCallError as error: print(error)", QUERY), {CALL: turn})
    start(lasting_page)
    result = ended(lasting_page)
    assert (result["answer"], result["stoppedBy"]) == ("sub:one sub:two", "final_answer")
    assert sorted(vendor.asked) == ["one", *(f"root {number}" for number in range(4)), "two"]
    assert vendor.requests == len(vendor.asked) + 1


@pytest.mark.parametrize(("turn", "fault"), LASTING.values(), ids=LASTING.keys())
def test_a_fault_that_does_not_pass_ends_the_run_with_all_that_there_is(
    lasting_page: Page, upstream: FakeUpstream, turn: Turn, fault: str
) -> None:
    vendor = Vendor(upstream, replies(QUERY), {ROOT: turn})
    start(lasting_page)
    result = ended(lasting_page)
    assert (result["answer"], result["stoppedBy"]) == ("half of it", "provider_error")
    assert (result["fault"]["type"], result["fault"]["upstream"]) == (fault, "openai")
    assert sum(used["calls"] for used in result["usage"].values()) == len(vendor.asked) == 2
    assert [event.type for event in read(result["trajectory"].splitlines()).events][-1] == "run_finished"


# ------------------------------------------------------------------------------------------------ the way to the server


def lost(route: Route) -> None:
    """The server answers, and its answer is lost on the way."""
    route.fetch()
    route.abort("connectionreset")


ON_THE_WAY: dict[str, Callable[[Route], object]] = {
    "the connection is refused": lambda route: route.abort("connectionrefused"),
    "the reply is lost": lost,
    "a proxy answers 502": lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"),
    "a proxy answers 503": lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}),
    "a proxy answers garbage": lambda route: route.fulfill(content_type="text/event-stream", body="data: <html>\n\n"),
    "the reply is cut": lambda route: route.fulfill(content_type="text/event-stream", body='data: {"delta": "ha'),
    "the reply is empty": lambda route: route.fulfill(body=""),
}


@pytest.mark.parametrize(("at", "block"), PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("happen", ON_THE_WAY.values(), ids=ON_THE_WAY.keys())
def test_a_fault_between_page_and_server(
    requesting_page: Page, upstream: FakeUpstream, happen: Callable[[Route], object], at: int, block: str
) -> None:
    vendor = Vendor(upstream, replies(block))
    requests = iter(range(1_000))
    requesting_page.route("**/api/rlm", lambda route: happen(route) if next(requests) == at else route.continue_())
    start(requesting_page)
    check(ended(requesting_page), vendor, batch=block == BATCH)
    requesting_page.unroute("**/api/rlm")


# -------------------------------------------------------------------------------------------------------------- offline


def test_a_run_waits_while_the_browser_is_offline_and_its_block_has_all_its_time(
    page: Page, context: BrowserContext, upstream: FakeUpstream
) -> None:
    vendor = Vendor(upstream, replies("y = llm_query(gate() or 'two')"))
    start(page, blockTimeout=1_500)
    page.wait_for_function("() => globalThis.openGate", timeout=TOLD_MS)
    context.set_offline(True)
    page.evaluate("openGate(null)")
    told(page, "event.type === 'notice' && event.text.includes('offline') && event.text.includes('The run waits')")
    page.wait_for_timeout(2_000)  # longer than the block may be at work
    assert vendor.asked == ["root 0", "one", "root 1"]
    context.set_offline(False)
    check(ended(page), vendor)
    assert "answers again" in noticed(page)


def test_a_browser_that_goes_offline_while_a_reply_is_on_its_way(
    page: Page, context: BrowserContext, upstream: FakeUpstream
) -> None:
    held = Turn(headers=EVENTS, chunks=events_turn(*openai_deltas("sub:two")).chunks, held=True)
    vendor = Vendor(upstream, replies(QUERY), {CALL: held})
    start(page)
    told(page, f"event.type === 'call_started' && event.call === {CALL}")
    for _ in range(CALL + 1):
        assert upstream.arrived.acquire(timeout=TOLD_MS / 1_000)
    context.set_offline(True)
    upstream.release()
    page.wait_for_function("() => !navigator.onLine")
    context.set_offline(False)
    vendor.asked.append("two")
    check(ended(page), vendor)
    assert vendor.requests == len(vendor.asked)


def test_the_time_of_the_run_ends_it_also_offline(page: Page, context: BrowserContext, upstream: FakeUpstream) -> None:
    Vendor(upstream, replies(f"gate()\n{QUERY}"))
    prepare(page)
    start(page, maxTimeout=8_000)
    page.wait_for_function("() => globalThis.openGate", timeout=TOLD_MS)
    context.set_offline(True)
    page.evaluate("openGate(null)")
    result = ended(page)
    assert (result["answer"], result["stoppedBy"], result["fault"]) == ("half of it", "max_seconds", None)


# ---------------------------------------------------------------------------------------------- the server is restarted


class Server:
    """A server in a process of its own, that can be killed and started again at the same address."""

    def __init__(self, upstream: FakeUpstream, store: Path | None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = store
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "OPENAI_API_KEY": "planted",
            "OPENAI_BASE_URL": f"{upstream.url}/v1",
            "OLLAMA_BASE_URL": "none",
            "RLM_MODELS": "openai:m",
        }

    def start(self) -> None:
        """Start it; it answers when this returns."""
        command = [sys.executable, "-m", "rlm_server", "serve", "--port", str(self.port)]
        kept = {} if self.store is None else {"RLM_STORE_PATH": str(self.store)}
        self._process = subprocess.Popen(command, env={**self._environment, **kept}, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        assert any("pyodide-rlm is at" in line for line in self._process.stderr), "the server did not start"
        threading.Thread(target=_drain, args=(self._process.stderr,), daemon=True).start()

    def kill(self) -> None:
        """End it at once: nothing is finished, nothing is closed."""
        self._process.kill()
        self._process.wait()


def _drain(log: IO[str]) -> None:
    """Read the access log to its end: a server whose pipe is full stands still."""
    with log:
        for _ in log:
            pass


@pytest.fixture(scope="module")
def server(visitor: Visitor, upstream: FakeUpstream) -> Iterator[Server]:
    """A server that is up before each test, at an address that the visitor knows."""
    running = Server(upstream, None)
    running.start()
    try:
        visitor.know(running.url)
        yield running
    finally:
        running.kill()


@contextmanager
def visited(context: BrowserContext, server: Server) -> Iterator[Page]:
    """A page of the server, which is started anew afterwards, without a store."""
    page = context.new_page()
    page.goto(server.url)
    try:
        yield page
    finally:
        server.kill()
        server.store = None
        server.start()


WAITS = "event.type === 'notice' && event.text.includes('cannot be reached') && event.text.includes('The run waits')"


@pytest.mark.parametrize("at", [ROOT, CALL], ids=["a root call", "a sub-call"])
def test_a_server_that_is_killed_and_started_again(
    context: BrowserContext, upstream: FakeUpstream, server: Server, at: int
) -> None:
    vendor = Vendor(upstream, replies(QUERY), {at: Turn(silent=True)})
    with visited(context, server) as page:
        start(page)
        told(page, f"event.type === 'call_started' && event.call === {at}")
        for _ in range(at + 1):
            assert upstream.arrived.acquire(timeout=TOLD_MS / 1_000)
        server.kill()
        told(page, WAITS)
        server.start()
        check(ended(page), vendor)
        assert "answers again" in noticed(page)


def test_what_was_answered_before_the_server_was_killed_is_not_asked_again(
    context: BrowserContext, upstream: FakeUpstream, server: Server
) -> None:
    vendor = Vendor(upstream, replies(BATCH), {CALL + 1: Turn(silent=True)})
    with visited(context, server) as page:
        start(page)
        told(page, f"event.type === 'call_finished' && event.call >= {CALL}")
        server.kill()
        told(page, WAITS)
        server.start()
        check(ended(page), vendor, batch=True)


def test_a_reply_that_was_kept_in_a_file_is_not_asked_again(
    context: BrowserContext, upstream: FakeUpstream, server: Server, tmp_path: Path
) -> None:
    vendor = Vendor(upstream, replies(QUERY))
    server.kill()
    server.store = tmp_path / "replies"
    server.start()
    with visited(context, server) as page:
        requests = iter(range(1_000))

        def answer(route: Route) -> None:
            if next(requests) != CALL:
                return route.continue_()
            route.fetch()  # the server has the reply, and has kept it
            server.kill()
            return route.abort("connectionreset")

        send_requests(page)
        page.route("**/api/rlm", answer)
        start(page)
        told(page, WAITS)
        server.start()
        check(ended(page), vendor)
