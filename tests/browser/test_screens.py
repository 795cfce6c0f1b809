"""On a phone the state comes into view and the answer stays put; on a desktop question and Run are in reach."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.browser.person import ScriptedModel, code, drop_file, ended
from tests.browser.test_accessibility import serious_violations

WATCH = """() => {
  globalThis.tops = [];
  globalThis.shifted = 0;
  const look = () => {
    const answer = document.getElementById("answer");
    if (answer) tops.push(Math.round(answer.getBoundingClientRect().top));
    requestAnimationFrame(look);
  };
  look();
  const isOfAnswer = ({ node }) => (node?.parentElement ?? node)?.closest?.(".outcome") !== null;
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) if (sources.some(isOfAnswer)) shifted += value;
  }).observe({ type: "layout-shift" });
}"""
"""Where the answer stands in each frame from its first on, and the layout shifts of it and of what is beside it."""
IN_VIEW = """(selector) => {
  const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}"""
WRAPPED = """() => [...document.querySelectorAll(".ask label.check")].filter((label) => {
  const box = label.querySelector("input").getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(label);
  return [...range.getClientRects()].some(({ left, width, height }) => width > 0 && height > 8 && left < box.left - 1)
    || [...range.getClientRects()].some(({ left, top }) => top > box.bottom && left < box.right);
}).map((label) => label.textContent)"""
LEASE = "The lease was signed by Ada in 1871.\n" * 20


def test_on_a_phone_the_state_comes_into_view_and_the_answer_does_not_jump(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served)
    page.locator("#model[placeholder^='Default: ']").wait_for(state="attached")
    ScriptedModel(page, [code("print(context[:100])"), code("FINAL('Ada signed it.')")])
    drop_file(page, "lease.txt", LEASE)
    page.fill("#question", "Who signed it?")
    expect(page.locator(".keys")).to_be_hidden()
    page.evaluate(WATCH)
    page.tap("#run")
    expect(page.locator("#status")).to_be_in_viewport()
    ended(page)
    expect(page.locator("#answer")).to_be_in_viewport()
    page.wait_for_function("() => tops.length > 20")
    assert len(set(page.evaluate("tops"))) == 1
    assert page.evaluate("shifted") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_violations(page) == []
    context.close()


def test_on_a_desktop_question_and_run_stay_in_reach_with_the_limits_open(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.click("#limits summary")
    page.click("#page-settings summary")
    for place in ("0", "400", "1e6"):
        page.evaluate(f"document.querySelector('.ask').scrollTop = {place}")
        assert page.evaluate(IN_VIEW, "#question")
        assert page.evaluate(IN_VIEW, "#run")
    assert page.evaluate(WRAPPED) == []
    page.focus("#limit-maxSubCalls")  # a field that the keyboard reaches is not under the two
    covered = """() => {
      const { left, top, width, height } = document.activeElement.getBoundingClientRect();
      return document.elementFromPoint(left + width / 2, top + height / 2) !== document.activeElement;
    }"""
    assert not page.evaluate(covered)
    assert serious_violations(page) == []
