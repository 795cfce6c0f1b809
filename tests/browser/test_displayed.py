"""Values that model code displays on the page: tables, pictures, JSON, Markdown, charts. None of them runs anything."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations

SHOW = """
rows = [{"city": name, "people": many} for name, many in [("Oslo", 709), ("Bergen", 291), ("Vardø", 2)]]
display(rows, "Cities")
display("<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20' onload='parent.ran = 1'>"
        "<script>parent.ran = 1; alert(1)</script><rect width='40' height='20' fill='teal'/></svg>", "A box")
display({"one": {"two": [1, "<b>x</b>"]}})
display("# Notes\\n**bold** <img src=x onerror='ran = 1'>")
plot(rows, x="city", y="people", title="People by city")
FINAL("It is $E = mc^2$, for $5 and $6:\\n\\n$$\\\\frac{a}{b}$$")
"""
MANY = "display([[n % 10] for n in range(1_000_000)], 'Many')\nFINAL('shown')"
SCROLL = """async () => {
  const box = document.querySelector("#shown .table-view");
  const long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe(
    { type: "longtask" });
  for (let step = 1; step <= 100; step += 1) {
    box.scrollTop = (box.scrollHeight - box.clientHeight) * step / 100;
    await new Promise(requestAnimationFrame);
  }
  await new Promise((done) => setTimeout(done, 200));
  return { long, rows: document.querySelectorAll("#shown .table-view tbody tr").length };
}"""


def test_what_code_displays_is_shown_and_nothing_of_it_runs(page: Page, faults: list[str]) -> None:
    ScriptedModel(page, [code(SHOW)])
    page.fill("#context-text", "text")
    ask(page, "Show?")
    ended(page)
    figures = page.locator("#timeline figure.displayed")
    expect(figures).to_have_count(5)
    expect(page.locator("#shown figure.displayed")).to_have_count(5)
    expect(page.locator("#answer math")).to_have_count(2)
    expect(page.locator("#answer math mfrac")).to_be_visible()
    expect(page.locator("#answer p").first).to_contain_text("for $5 and $6:")
    table = figures.first
    expect(table.locator("figcaption")).to_have_text("Cities 3 rows, 2 columns")
    expect(table.locator("tbody tr").first).to_have_text("Oslo709")
    assert table.locator(".table-view").evaluate("box => box.scrollWidth <= box.clientWidth")
    table.get_by_role("button", name="people").press("Enter")
    expect(table.locator("tbody tr").first).to_have_text("Vardø2")
    expect(table.locator("th").last).to_have_attribute("aria-sort", "ascending")
    with page.expect_download() as download:
        table.get_by_role("button", name="Download as CSV").click()
    assert download.value.path().read_text("utf-8-sig") == "city,people\nVardø,2\nBergen,291\nOslo,709\n"
    assert download.value.suggested_filename == "Cities.csv"
    picture = figures.locator("img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    check_chart(page, figures.last)
    page.locator("#timeline").get_by_role("button", name="one: 1 field").press("Enter")
    page.locator("#timeline").get_by_role("button", name="two: 2 items").press("Enter")
    expect(figures.nth(2)).to_contain_text('"<b>x</b>"')
    expect(figures.nth(3).locator("h1")).to_have_text("Notes")
    assert page.evaluate("window.ran") is None
    expect(page.locator("#timeline .output").first).to_contain_text("[the person sees a table of 3 rows and 2 columns]")
    assert serious_violations(page) == []
    page.click("#history > summary")
    page.locator(".kept-open").click()
    expect(page.locator("#recording-title")).to_have_text("Earlier run")
    expect(page.locator("#shown figure.displayed")).to_have_count(5)
    assert faults == []


def check_chart(page: Page, figure: Locator) -> None:
    """The chart tells its values to the pointer and to the keyboard, and a part of it is enlarged and left again."""
    chart = figure.get_by_role("group", name="People by city")
    expect(chart.locator("canvas")).to_be_visible()
    values = chart.locator(".u-value")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(values).to_have_text(["Oslo", "709"])
    page.keyboard.press("End")
    expect(values).to_have_text(["Vardø", "2"])
    area = chart.locator(".u-over")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    expect(values).to_have_text(["Bergen", "291"])
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=4)
    page.mouse.up()
    figure.get_by_role("button", name="Show the whole chart").click()
    expect(figure.get_by_text("Drag across the chart")).to_be_visible()


@pytest.mark.timed
def test_a_table_of_a_million_rows_scrolls_without_a_pause(page: Page) -> None:
    ScriptedModel(page, [code(MANY)])
    page.fill("#context-text", "text")
    ask(page, "Show?")
    ended(page)
    expect(page.locator("#shown figcaption")).to_have_text("Many 1,000,000 rows, 1 column")
    seen = page.evaluate(SCROLL)
    assert seen["long"] == []
    assert seen["rows"] == 12
    expect(page.locator("#shown .table-view tbody tr").last).to_have_attribute("aria-rowindex", "1000001")
    expect(page.locator("#shown .table-view tbody tr").last).to_have_text("9")
