"""A tab whose process stands still, as on a laptop that sleeps: time asleep is no time at work."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.faults.upstream import FAULTS, Upstream
from tests.browser.lab import code, prepare

LIMIT_MS = 6_000
ASLEEP_SECONDS = 7.0
BLOCK = """
import time
print('at work')
for _ in range(20): time.sleep(0.05)
FINAL('awake')
"""
START = """(job) => {
  globalThis.ended = faults.start(job);
  return faults.happened;
}"""
LIMITS = {"the block's": {"blockTimeout": LIMIT_MS}, "the run's": {"maxTimeout": LIMIT_MS}}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_time_asleep_is_no_time_at_work(
    browser: Browser, page: Page, context: BrowserContext, limit: dict[str, Any]
) -> None:
    Upstream([code(BLOCK), code("FINAL('cut off')")]).serve(context)
    page.evaluate(FAULTS)
    prepare(page)
    page.evaluate(START, {"at": {"fault": "tell", "type": "output"}, "options": limit})
    began = page.evaluate("() => performance.now()")
    sleep(browser, ASLEEP_SECONDS)
    result = page.evaluate("() => ended")
    assert page.evaluate("() => performance.now()") - began > LIMIT_MS
    assert (result["answer"], result["stoppedBy"]) == ("awake", "final_answer")


def sleep(browser: Browser, seconds: float) -> None:
    """Let all tabs of `browser` stand still for `seconds`."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process["id"] for process in found if process["type"] == "renderer"]
    for pid in renderers:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in renderers:
        os.kill(pid, signal.SIGCONT)
