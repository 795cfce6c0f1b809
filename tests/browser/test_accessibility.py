"""The page by axe-core's rules, in light and dark, before a run and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SCRIPT = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}
"""


def serious_violations(page: Page) -> list[str]:
    """Violations that axe-core calls serious or critical; evaluated, since the page's policy bars foreign scripts."""
    page.evaluate(AXE.read_text())
    return list(page.evaluate(SCRIPT))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_serious_violation(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.click("#limits summary")
    assert serious_violations(page) == []
    page.fill("#context-text", "The lamp was lit in 1871. " * 50)
    page.click("#run")
    assert serious_violations(page) == []
    page.fill("#question", "When was the lamp lit?")
    page.click("#run")
    expect(page.locator("#download")).to_be_visible(timeout=60_000)
    assert serious_violations(page) == []
