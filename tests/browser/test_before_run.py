"""Before Run: who receives text, an estimate with its price, an example; and the page's own settings."""

from __future__ import annotations

import json

from playwright.sync_api import Page, Route, expect

from tests.browser.person import ended
from tests.browser.test_accessibility import serious_violations

OPENAI = {
    "id": "openai:gpt-5-mini",
    "label": "gpt-5-mini (OpenAI)",
    "provider": "openai",
    "host": "openai",
    "price": {"input": 0.25, "output": 2.0},
}
CATALOGUE = {"models": [OPENAI], "default": OPENAI["id"]}
GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(245, 246, 243)", "rgb(18, 23, 21)"


def test_who_receives_text_and_what_it_may_cost_stand_beside_run(page: Page) -> None:
    expect(page.locator("#recipients")).to_have_text(
        "Text of model calls goes to the stand-in on the server on this machine, and no vendor."
    )
    expect(page.locator("#forecast")).to_contain_text("in its first 3 iterations, at no cost. Sub-calls come on top")
    expect(page.locator("#context-privacy")).to_contain_text("only the text of model calls leaves it")
    expect(page.locator(".introduction")).not_to_contain_text("Nothing is uploaded")
    page.route("**/api/models", lambda route: listed(route))
    page.reload()
    expect(page.locator("#recipients strong")).to_have_text("OpenAI, through the server on this machine")
    expect(page.locator("#forecast")).to_contain_text("($0.25 in, $2.00 out per million)")
    expect(page.locator("#forecast strong")).to_contain_text("$0.00")
    before = page.locator("#forecast").inner_text()
    page.fill("#question", "What does it say? " * 500)
    expect(page.locator("#forecast")).not_to_have_text(before)
    page.click("#limits summary")
    page.fill("#limit-maxIterations", "1")
    expect(page.locator("#forecast")).to_contain_text("in its first 1 iteration,")
    page.fill("#model", "nonsense")  # it names nobody
    page.keyboard.press("Tab")
    expect(page.locator("#recipients strong")).not_to_contain_text("nonsense")
    expect(page.locator("#model-problem")).to_contain_text("names no model")


def listed(route: Route) -> None:
    route.fulfill(
        status=200,
        headers={"Cross-Origin-Resource-Policy": "same-origin", "Content-Type": "application/json"},
        body=json.dumps(CATALOGUE),
    )


def test_theme_and_prices_are_kept_and_an_example_is_one_click(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.click("#page-settings summary")
    assert page.evaluate(GROUND) == LIGHT
    page.select_option("#theme", "dark")
    assert page.evaluate(GROUND) == DARK
    assert serious_violations(page) == []
    page.uncheck("#shows-prices")
    expect(page.locator("#forecast")).not_to_contain_text("cost")
    page.reload()
    expect(page.locator("#forecast")).to_contain_text("Estimate")
    assert page.evaluate(GROUND) == DARK
    page.emulate_media(color_scheme="dark")
    page.click("#page-settings summary")
    page.select_option("#theme", "light")
    assert page.evaluate(GROUND) == LIGHT
    assert serious_violations(page) == []
    page.click("#example")
    ended(page)
    expect(page.locator("#answer")).to_be_visible()
    expect(page.locator("#example")).to_have_count(0)
    expect(page.locator("#status dt", has_text="Cost")).to_have_count(0)
    page.click("#reset-settings")
    expect(page.locator("#status dt", has_text="Cost")).to_have_count(1)
    assert page.evaluate(GROUND) == DARK
