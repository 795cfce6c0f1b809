"""The call socket of the page: the same runs as by requests, and a connection that breaks under many calls."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.faults.test_upstream_faults import TOLD_MS, ended, told
from tests.browser.faults.vendor import Vendor
from tests.browser.lab import code, send_requests
from tests.browser.visitor import Visitor
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, fake_upstream, json_turn, openai_reply, usage_of_all

CALLS = 64
ANSWERED = 40
CONTEXT = "The lamp of the harbour was lit in 1871, and it has burned in every night since then. " * 20
REPLIES = [
    code("x = llm_query('one: ' + context[:120])"),
    code("y = ' '.join(llm_batch(['two', 'two', 'three: ' + context[86:200]]))\nprint(len(y))"),
    code("FINAL(x[:8] + ' ' + y[:15])"),
]
START = """(context) => {
  globalThis.seen = [];
  globalThis.stop = new AbortController();
  const run = async () => {
    const { RLM } = await import("/rlm/rlm.js");
    const rlm = new RLM({ model: "openai:m", onEvent: (event) => seen.push(event) });
    const result = await rlm.run("What?", { context, signal: stop.signal });
    return { ...result, trajectory: result.trajectory() };
  };
  globalThis.running = run();
}"""
ASK_AT_ONCE = """(count) => {
  globalThis.outcomes = [];
  const run = async () => {
    const { openBroker } = await import("/rlm/calls/broker.js");
    const { fetchOverSocket } = await import("/rlm/calls/call_socket.js");
    let next = 0;
    const witness = { started: () => next++, finished: (_, outcome) => outcomes.push(outcome), noticed() {} };
    const broker = openBroker({ endpoint: "/api/rlm", witness, fetcher: fetchOverSocket("/api/rlm") });
    const attempt = crypto.randomUUID(); // the server keeps what the first attempt of a test was answered
    const one = (number) => {
      const call = { model: "openai:m", messages: [{ role: "user", content: `call ${number}` }] };
      const idempotencyKey = (at) => `${attempt}/${at}`;
      const answer = { signal: new AbortController().signal, write() {}, end() {}, idempotencyKey };
      return broker.handle(JSON.stringify({ op: "complete", kind: "sub", calls: [call] }), answer);
    };
    globalThis.askOne = one;
    const isOpen = new Promise((opened) => {
      globalThis.WebSocket = class extends WebSocket {
        constructor(url) {
          super(url);
          this.addEventListener("open", () => setTimeout(opened, 0));
        }
      };
    });
    await one("first");
    await isOpen;
    globalThis.isBegun = true;
    await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
    return { outcomes, usage: broker.usage() };
  };
  globalThis.running = run();
}"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with fake_upstream() as fake:
        yield fake


@pytest.fixture(scope="module")
def url(upstream: FakeUpstream) -> Iterator[str]:
    waits = {"first_byte_seconds": 60.0, "total_seconds": 120.0, "models": "openai:m"}
    with serving(create_app(settings_for(upstream, **waits)), drain_seconds=0) as address:
        yield address


@pytest.fixture
def routed() -> list[WebSocketRoute]:
    """The connections of the page, in between page and server."""
    return []


@pytest.fixture
def posts() -> list[str]:
    """Calls of the page that were requests."""
    return []


@pytest.fixture
def page(visitor: Visitor, context: BrowserContext, url: str, routed: list[WebSocketRoute], posts: list[str]) -> Page:
    def connect(route: WebSocketRoute) -> None:
        routed.append(route)
        route.connect_to_server()

    visitor.know(url)
    opened = context.new_page()
    opened.on("request", lambda request: posts.append(request.url) if request.url.endswith("/api/rlm") else None)
    opened.route_web_socket("**/api/rlm/socket", connect)
    opened.goto(url)
    return opened


VARYING = {"seconds", "run", "run_id", "time", "started_at", "seq", "id", "spans_seconds"}


def facts(result: Any) -> list[str]:
    """The events of a run in no order, without times and names; calls of a batch end in any order."""
    events = [json.loads(line, object_pairs_hook=_lasting) for line in result["trajectory"].splitlines()]
    return sorted(json.dumps(event, sort_keys=True) for event in events if event.get("type") != "notice")


def _lasting(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name not in VARYING}


def wait_for(page: Page, requests: threading.Semaphore, count: int = 1) -> None:
    """Wait for requests of the vendor's while Playwright works: the messages of a routed connection pass through it."""
    until = time.monotonic() + TOLD_MS / 1_000
    for _ in range(count):
        while not requests.acquire(blocking=False):
            assert time.monotonic() < until
            page.wait_for_timeout(20)


def test_a_run_is_the_same_by_either_way_and_a_stop_reaches_the_vendor(
    page: Page, upstream: FakeUpstream, routed: list[WebSocketRoute], posts: list[str]
) -> None:
    runs = []
    stops = []
    requests = []
    for by_requests in (False, True):
        if by_requests:
            send_requests(page)
        vendor = Vendor(upstream, REPLIES)
        page.evaluate(START, CONTEXT)
        runs.append([*facts(ended(page)), *sorted(vendor.asked)])
        requests.append(len(posts))
        Vendor(upstream, [code("x = llm_query('held')")], {1: Turn(silent=True)})
        page.evaluate(START, CONTEXT)
        told(page, "event.type === 'call_started' && event.call === 1")
        wait_for(page, upstream.arrived, 2)
        began = time.monotonic()
        page.evaluate("() => globalThis.stop.abort()")
        wait_for(page, upstream.abandoned)
        stops.append(time.monotonic() - began)
        assert ended(page)["stoppedBy"] == "cancelled"
    assert set(runs[0]) ^ set(runs[1]) == set()
    assert len(runs[0]) == len(runs[1])
    assert len(routed) == 1
    assert requests[0] < requests[1] - requests[0]  # those while the connection opened, against all
    assert max(stops) < 10


def test_a_connection_that_breaks_under_64_calls_loses_no_answer_and_pays_none_again(
    page: Page, upstream: FakeUpstream, routed: list[WebSocketRoute], posts: list[str]
) -> None:
    def answer(seen: Seen) -> Turn:
        prompt = str(seen.json()["messages"][0]["content"])
        is_held = prompt.split()[1].isdecimal() and int(prompt.split()[1]) >= ANSWERED
        return json_turn(openai_reply(f"to {prompt}", usage=usage_of_all(seen)), held=is_held)

    upstream.reset()
    upstream.answer = answer
    page.evaluate(ASK_AT_ONCE, CALLS)
    page.wait_for_function("() => globalThis.isBegun", timeout=TOLD_MS)
    wait_for(page, upstream.arrived, CALLS + 1)
    page.wait_for_function(f"() => outcomes.length === {ANSWERED + 1}", timeout=TOLD_MS)
    assert (len(routed), len(posts)) == (1, 1)
    routed[0].close(code=1011)
    page.wait_for_timeout(200)
    upstream.release()
    result = ended(page)
    texts = Counter(outcome["completion"]["text"] for outcome in result["outcomes"])
    expected = [f"to call {name}" for name in ("first", *range(CALLS))]
    assert texts == Counter(expected)
    asked = Counter(str(seen.json()["messages"][0]["content"]) for seen in upstream.seen)
    assert asked == Counter(text.removeprefix("to ") for text in expected)
    assert sum(used["calls"] for used in result["usage"].values()) == CALLS + 1
    assert len(posts) == 1 + CALLS - ANSWERED
    page.evaluate("() => askOne('later')")
    for _ in range(TOLD_MS // 50):
        if len(routed) == 2:
            break
        page.wait_for_timeout(50)
    assert len(routed) == 2


JOURNAL = """async ({ resume }) => {
  const { RLM, readRun } = await import("/rlm/rlm.js");
  const rlm = new RLM({ model: "openai:m", journal: "the-run", maxSubCalls: 10_000 });
  const result = await rlm.run("What?", resume ? { resume: await readRun("the-run") } : {});
  return { ...result, trajectory: result.trajectory() };
}"""
KEEP_NO_MORE = """() => {
  IDBObjectStore.prototype.put = function () {
    this.transaction.oncomplete = null;
  };
}"""
"""Of what is written from now on nothing is kept, as in a browser that is killed."""


def when_still(page: Page, asked: list[str]) -> int:
    """Number of calls once none has come for a while."""
    count = -1
    while count != len(asked):
        count = len(asked)
        page.wait_for_timeout(1_500)
    return count


def test_calls_in_turn_whose_lines_a_killed_browser_lost_are_answered_from_the_store(
    page: Page, upstream: FakeUpstream
) -> None:
    in_turn = code("x = [llm_query(str(n)) for n in range(400)]\nFINAL(str(len(set(x))))")
    vendor = Vendor(upstream, [code("llm_query('first')"), in_turn])
    page.evaluate(f"(job) => {{ globalThis.running = ({JOURNAL})(job); }}", {})
    for _ in range(TOLD_MS // 20):
        if len(vendor.asked) > 100:  # beyond the 64 that may leave ahead of the reply
            break
        page.wait_for_timeout(20)
    page.evaluate(KEEP_NO_MORE)
    lost_from = len(vendor.asked)
    stood_still = when_still(page, vendor.asked)
    assert lost_from + 5 < stood_still < 400
    page.reload()
    kept = page.evaluate("async () => (await import('/rlm/rlm.js')).readRun('the-run')")
    result = page.evaluate(JOURNAL, {"resume": True})
    assert kept.count('"call_started"') < stood_still
    assert (result["answer"], result["stoppedBy"]) == ("400", "final_answer")
    assert Counter(vendor.asked) == Counter(["root 0", "root 1", "first", *map(str, range(400))])
