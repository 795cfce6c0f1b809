"""Cost in the page, by the prices of genai-prices: a limit that is reached, and a price that nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from unittest import mock

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.person import ask, code, ended
from tests.browser.test_model_field import choose_model
from tests.browser.test_runs_shown import set_limits
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, events_turn, json_turn, openai_reply

genai_prices = pytest.importorskip("genai_prices")

PRICED, UNPRICED = "openai:gpt-5-mini", "openai:never-priced"
TOKENS = {"prompt_tokens": 100_000, "completion_tokens": 10_000}
ASKS = code("for n in range(10):\n    print(llm_query(f'question {n}'))\nFINAL('all ten')")


@pytest.fixture(scope="module")
def priced_server(upstream: FakeUpstream) -> Iterator[str]:
    """A server that takes the fake upstream for the vendor's own address, where the vendor's prices hold."""
    settings = settings_for(upstream, models=f"{PRICED},{UNPRICED}", total_seconds=10.0, first_byte_seconds=5.0)
    with (
        mock.patch.object(Settings, "is_vendors_own", return_value=True),
        serving(create_app(settings), drain_seconds=0) as url,
    ):
        yield url


@pytest.fixture
def priced_page(context: BrowserContext, priced_server: str, upstream: FakeUpstream) -> Page:
    upstream.reset()
    upstream.answer = answered
    page = context.new_page()
    page.goto(priced_server)
    page.fill("#context-text", "text")
    return page


def answered(seen: Seen) -> Turn:
    """Root calls are answered by code, and others by text; each of them uses `TOKENS`."""
    body = seen.json()
    is_root = '"role": "system"' in json.dumps(body["messages"])
    text = ASKS if is_root else "a reply"
    if not body.get("stream"):
        return json_turn(openai_reply(text, usage=TOKENS))
    delta = {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}
    return events_turn(delta, {"choices": [], "usage": TOKENS}, "[DONE]")


def price_of_a_call() -> float:
    used = genai_prices.Usage(input_tokens=TOKENS["prompt_tokens"], output_tokens=TOKENS["completion_tokens"])
    return float(genai_prices.calc_price(used, PRICED.partition(":")[2], provider_id="openai").total_price)


def test_a_run_ends_when_its_cost_is_reached_and_tells_the_numbers(priced_page: Page, upstream: FakeUpstream) -> None:
    each = price_of_a_call()
    assert each > 0
    choose_model(priced_page, PRICED)
    set_limits(priced_page, maxCost=round(each * 2.5, 6))
    ask(priced_page)
    ended(priced_page)
    expect(priced_page.locator("#run-problem")).to_contain_text("The allowed cost was reached.")
    numbers = f"Cost (USD) limit reached: {each * 3:.6g} of {each * 2.5:.6g} used. Raise"
    expect(priced_page.locator("#run-problem")).to_contain_text(numbers)
    assert len(upstream.seen) == 3, "one root call and two sub-calls; the third was not made"
    expect(priced_page.locator("#usage summary")).to_contain_text(
        f"3 calls, 300,000 tokens in, 30,000 out, cost ${each * 3:.3g}"
    )


def test_a_model_without_a_price_costs_something_unknown(priced_page: Page, upstream: FakeUpstream) -> None:
    choose_model(priced_page, UNPRICED)
    ask(priced_page)
    ended(priced_page)
    expect(priced_page.locator("#answer")).to_contain_text("all ten")
    expect(priced_page.locator("#status")).to_contain_text("Costunknown")
    expect(priced_page.locator("#usage summary")).to_contain_text("cost unknown")
    assert len(upstream.seen) == 11


def test_a_limit_of_cost_is_refused_where_no_price_is_known(priced_page: Page, upstream: FakeUpstream) -> None:
    choose_model(priced_page, UNPRICED)
    set_limits(priced_page, maxCost=1)
    ask(priced_page)
    expect(priced_page.locator("#run-problem")).to_contain_text(f"no price of the model {UNPRICED} is known")
    assert upstream.seen == []


def test_a_stop_cancels_the_call_at_the_vendor_at_once_and_its_cost_is_unknown(
    priced_page: Page, upstream: FakeUpstream
) -> None:
    def hanging(seen: Seen) -> Turn:
        is_root = '"role": "system"' in json.dumps(seen.json()["messages"])
        return answered(seen) if is_root else Turn(silent=True)

    upstream.answer = hanging
    choose_model(priced_page, PRICED)
    ask(priced_page)
    for _ in ("the root model", "the sub-call"):
        assert upstream.arrived.acquire(timeout=30)
    while upstream.abandoned.acquire(blocking=False):
        pass  # an answered connection that was closed
    priced_page.click("#stop")
    assert upstream.abandoned.acquire(timeout=2), "the vendor still works for nobody"
    ended(priced_page)
    expect(priced_page.locator("#usage summary")).to_contain_text(
        "2 calls, 100,000 tokens in, 10,000 out, cost unknown"
    )
