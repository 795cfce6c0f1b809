"""Prompt cache and window of the vendor, end to end: page, real server, scripted vendor of Anthropic's dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.browser.lab import code
from tests.server.caching_vendor import CachingVendor
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream

ITERATIONS = 10
WINDOW = 4_096
CONTEXT = "".join(f"line {number}: the quick brown fox jumps over the lazy dog\n" for number in range(2_000))
RUN = """async ([options, context]) => {
  const { RLM } = await import("/rlm/rlm.js");
  const result = await new RLM(options).run("How many lines name a fox?", { context });
  const events = result.trajectory().trim().split("\\n").map((line) => JSON.parse(line));
  const of = (type) => events.filter((event) => event.type === type);
  return { ...result, limits: of("run_started")[0].limits, calls: of("call_finished").map(({ usage }) => usage),
    system: of("call_started")[0].messages[0].content };
}"""


def looks_and_answers(replies: int) -> str:
    """Nine looks at the context, then the answer."""
    if replies == ITERATIONS - 1:
        return "FINAL_VAR(n)"
    look = f"print(context[{replies * 700}:{replies * 700 + 600}])"
    return "I read on, and count as I go.\n\n" + code(f"n = context.count('fox')\n{look}")


@pytest.fixture(scope="module")
def page(browser: Browser, upstream: FakeUpstream) -> Iterator[Page]:
    upstream.answer = CachingVendor(looks_and_answers)
    waits = {"first_byte_seconds": 30.0, "total_seconds": 60.0, "models_seconds": 10.0}
    settings = settings_for(upstream, models="", openai_api_key=None, **waits)
    with serving(create_app(settings), drain_seconds=0) as url:
        opened = browser.new_page()
        opened.goto(url)
        yield opened
        opened.close()


def run(page: Page, context: str = CONTEXT, **options: Any) -> Any:
    return page.evaluate(RUN, [{"model": "anthropic:m", **options}, context])


def test_four_fifths_of_the_input_of_ten_iterations_are_served_from_the_cache(
    page: Page, upstream: FakeUpstream
) -> None:
    vendor = upstream.answer = CachingVendor(looks_and_answers)
    result = run(page)
    assert (result["answer"], result["iterations"], result["stoppedBy"]) == ("2000", ITERATIONS, "final_answer")
    (used,) = result["usage"].values()
    sent, cached = (sum(column) for column in zip(*vendor.calls, strict=True))
    assert (used["calls"], used["input_tokens"], used["cached_tokens"]) == (ITERATIONS, sent, cached)
    assert [usage["cached_tokens"] for usage in result["calls"]] == [read for _, read in vendor.calls]
    print(f"\n{ITERATIONS} iterations: {cached:,} of {sent:,} input tokens from the cache, {cached / sent:.1%}")
    assert cached >= 0.8 * sent


def test_the_window_is_the_one_that_the_provider_tells_unless_the_user_sets_another(
    page: Page, upstream: FakeUpstream
) -> None:
    upstream.answer = CachingVendor(lambda _: "FINAL(It is seven.)")
    assert (
        run(page, "x")["limits"]["window_tokens"],
        run(page, "x", windowTokens=9_000)["limits"]["window_tokens"],
    ) == (
        200_000,
        9_000,
    )
    assert "about 10,000 to 100,000 characters each" in run(page, "x")["system"]
    assert "about 1,000 to 10,000 characters each" in run(page, "x", windowTokens=5_000)["system"]
