"""Twenty planted facts at 1 MB each, found by the whole machinery: page, worker, server, and the built-in stand-in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.needles import case

ASK = """
async ([question, context]) => {
  const { RLM } = await import("/rlm/rlm.js");
  const { answer, stoppedBy } = await new RLM({ model: "builtin:extractive" }).run(question, { context });
  return [answer, stoppedBy];
}
"""


@pytest.mark.parametrize("seed", range(20))
def test_a_fact_planted_in_a_megabyte_is_found_in_the_browser(shared_page: Page, seed: int) -> None:
    planted = case(seed)
    answer, stopped_by = shared_page.evaluate(ASK, [planted.question, planted.context])
    assert stopped_by == "final_answer"
    assert planted.expect is not None
    assert planted.expect in answer
