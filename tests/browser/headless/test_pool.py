"""BrowserPool in a real browser: several pages, a renderer that dies, and a run that is begun again under its key."""

from __future__ import annotations

import asyncio
from typing import Any

from rlm_server.headless import BlockingBrowserRLM, BrowserPool, Outcome, Row
from rlm_server.headless.pages import PoolPage
from tests.browser.headless.driving import awaited, first_call
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel


async def crash(page: PoolPage) -> None:
    """Kill the renderer of `page`."""
    session = await page._page.context.new_cdp_session(page._page)
    await asyncio.wait([asyncio.ensure_future(session.send("Page.crash"))], timeout=5)


def test_a_renderer_that_dies_takes_one_row_with_it_which_is_run_again_and_pays_nothing_twice(
    model: ScriptedModel, chromium: Any
) -> None:
    slow = model.question(code("print(llm_query('paid once'))"), code("print(llm_query('in flight'))\nFINAL('slow')"))
    rows: list[Row] = [{"question": slow}]
    rows += [{"question": model.question(code(f"FINAL(context + '{number}')")), "context": "c"} for number in range(5)]
    model.asked.clear()

    async def main() -> list[Outcome]:
        async with BrowserPool(2, model.url, model="openai:m") as pool:
            outcomes = pool.map(rows)
            ended = asyncio.ensure_future(collected(outcomes))
            await first_call(model, "paid once")
            model.sub_seconds = 10.0
            await first_call(model, "in flight")
            while (victim := page_with(pool, "sub:paid once")) is None:  # until its log has crossed to this process
                await asyncio.sleep(0.05)
            model.sub_seconds = 0.0
            await crash(victim)
            return await ended

    outcomes = awaited(main())
    answers = {outcome.index: outcome.result.answer for outcome in outcomes if outcome.result is not None}
    assert answers == {0: "slow", **{number + 1: f"c{number}" for number in range(5)}}
    assert {outcome.index: outcome.attempts for outcome in outcomes} == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert [text for _, text in model.asked].count("paid once") == 1


async def collected(outcomes: Any) -> list[Outcome]:
    return [outcome async for outcome in outcomes]


def page_with(pool: BrowserPool, text: str) -> PoolPage | None:
    """The page with a run whose log holds `text`."""
    for page in (slot.page for slot in pool._slots if slot.page is not None):
        if any(text in line for live in page._runs.values() for line in live.lines):
            return page
    return None


def test_a_run_that_is_begun_again_under_its_key_pays_nothing(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    question = model.question(code("print(llm_query('of the key'))\nFINAL('found')"))
    model.asked.clear()
    first = rlm.run(question, idempotency_key="batch.1")
    asked = len(model.asked)
    again = rlm.run(question, idempotency_key="batch.1")
    assert (first.answer, again.answer, asked, len(model.asked)) == ("found", "found", 2, 2)
    assert again.usage_from_record == again.usage == first.usage
    rlm.run(question, idempotency_key="batch.2")
    assert len(model.asked) == 4


def test_child_runs_beside_each_other_pay_nothing_when_their_run_is_begun_again(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    children = [
        model.question(*(code(f"{name} = llm_query('{name} of {child}')") for name in "xyz"), code("FINAL(x + y + z)"))
        for child in "abc"
    ]
    question = model.question(code(f"FINAL(len(rlm_batch({children!r})))"))
    model.asked.clear()
    answers = [rlm.run(question, idempotency_key="batch.children", max_depth=2).answer for _ in range(3)]
    assert answers == ["3", "3", "3"]
    assert len(model.asked) == 1 + len(children) * 7
