"""What the server's operator set for runs on its page: defaults, ceilings, and what is left of a person's day."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.browser.lab import unbundle
from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_runs_shown import set_limits

RUN_LIMITS = {"defaults": {"max_iterations": 7, "max_block_seconds": 9}, "ceilings": {"max_depth": 2, "max_cost": 1.5}}


def test_defaults_and_ceilings_hold_and_what_is_left_of_the_day_is_shown(page: Page) -> None:
    left = [3, 2, 0]

    def models(route: Route) -> None:
        calls = {"used": 20 - left[0], "allowed": 20, "left": left[0]}
        cost = {"used": 0.4, "allowed": 1.0, "left": 0.6}
        budget = {"calls": calls, "cost": cost, "until": "2027-01-01T00:00:00Z"}
        route.fulfill(json={**route.fetch().json(), "run_limits": RUN_LIMITS, "budget": budget})

    page.route("**/api/models", models)
    unbundle(page)
    set_limits(page)
    expect(page.locator("#day-budget")).to_contain_text(
        "Left of your day on this server: 3 of 20 calls, $0.60 of $1.00."
    )
    expect(page.locator("#limits summary")).to_contain_text("7 iterations, no time limit")
    named = {
        name: page.get_attribute(f"#limit-{name}", "placeholder") for name in ("maxCost", "maxDepth", "blockSeconds")
    }
    assert named == {"maxCost": "1.5", "maxDepth": "1", "blockSeconds": "9"}
    options = page.evaluate("async () => (await import('/page/settings.js')).runOptions()")
    del options["model"]
    assert options == {"maxIterations": 7, "blockTimeout": 9_000, "maxCost": 1.5}

    set_limits(page, maxDepth=3, maxIterations=9)
    page.fill("#context-text", "text")
    ask(page)
    expect(page.locator("#limit-maxDepth-hint")).to_contain_text("Depth is at most 2 on this server.")
    expect(page.locator("#limit-maxDepth")).to_be_focused()
    set_limits(page, maxDepth=2)
    ScriptedModel(page, [code("FINAL(1)")])
    left.pop(0)
    ask(page)
    ended(page)
    expect(page.locator("#day-budget")).to_contain_text("2 of 20 calls")
