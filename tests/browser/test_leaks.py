"""A tree of runs leaves nothing behind: no worker, and no memory that a worker would hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from rlm_server.headless.browser import QUIET
from tests.browser.lab import code, printed, run
from tests.browser.test_children import COUNT_WORKERS, WIDTH, alive, tree

REPETITIONS = 3
MEASURES = 5
APART_MS = 300
EAGER = "--enable-blink-features=ForceEagerMeasureMemory"
"""Collect garbage and measure at once, not within twenty seconds."""

MEASURE = """async (assets) => {
  const { prepareWorker } = await import("/rlm/boot/pool.js");
  await prepareWorker(new URL(assets, location.href).href);
  return (await performance.measureUserAgentSpecificMemory()).bytes;
}"""
HOLD_ONE = """async (assets) => {
  const { loadAssets, bootWorker } = await import("/rlm/boot/runtime.js");
  globalThis.held = await bootWorker(await loadAssets(new URL(assets, location.href).href));
}"""
ASSETS = "/rlm/assets/"


@pytest.fixture
def measured_page(browser: Browser, chromium: Path, served: str) -> Iterator[Page]:
    """A page in a browser that measures memory when it is asked to."""
    arguments = [*QUIET, EAGER, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    measuring = browser.browser_type.launch(executable_path=chromium, args=arguments)
    page = measuring.new_page()
    page.goto(served)
    page.evaluate(COUNT_WORKERS)
    yield page
    measuring.close()


def used_bytes(page: Page) -> int:
    """Memory of the page and its workers after a collection, with the pool's spare worker there; wasm memory aside.

    The least of several measures, apart in time: the copy of the snapshot from which the spare has just booted (22 MB)
    is counted for about 0.15 s more.
    """
    measured = []
    for _ in range(MEASURES):
        measured.append(int(page.evaluate(MEASURE, ASSETS)))
        page.wait_for_timeout(APART_MS)
    return min(measured)


HEALTHY = WIDTH - 2
SPENT = WIDTH + HEALTHY * WIDTH + HEALTHY * WIDTH
"""Sub-calls of the tree whose child 1 fails and whose child 2 is stopped."""


def run_tree(page: Page, *, sub_calls: int) -> Any:
    replies = tree()
    replies["c1"] = [code("1/0")]
    replies["c2"] = [code("print('spinning')\nwhile True: pass")]
    options = {"maxDepth": 3, "maxErrors": 1, "maxSubCalls": sub_calls}
    return run(page, replies, question="root", stopChildren={"2": "spinning"}, options=options)


def test_a_tree_with_a_failed_and_a_stopped_child_gives_its_workers_and_memory_back(measured_page: Page) -> None:
    page = measured_page
    run_tree(page, sub_calls=SPENT)
    before, workers = used_bytes(page), alive(page)
    for _ in range(REPETITIONS):
        result = run_tree(page, sub_calls=SPENT)
        assert result["answer"] == "q q q q q|none|none|q q q q q|q q q q q"
        assert "(max_errors)" in printed(result)
        assert "the child run was stopped." in printed(result)
    after = used_bytes(page)
    assert alive(page) == workers == 1
    page.evaluate(HOLD_ONE, ASSETS)
    one_worker = used_bytes(page) - after
    assert one_worker > 5_000_000, "the measure sees a worker that is held"
    assert after - before < one_worker / 2, f"{after - before:,} bytes more, a worker is {one_worker:,}"


def test_the_budget_of_such_a_tree_is_exact(shared_page: Page) -> None:
    result = run_tree(shared_page, sub_calls=SPENT - 1)
    assert result["stoppedBy"] == "max_sub_calls"
    assert f"{SPENT - 1} of {SPENT - 1} used" in result["detail"]
