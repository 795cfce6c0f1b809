"""Main thread: how long an attack kept it busy, in processor time, from a trace of the browser.

In: a browser, a page with `watch.js`, a run to be traced. Out: for each gap between two ticks of the page's timer, the
processor time of the page's tasks in it. Wall time says nothing where other processes wait for the same cores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from playwright.sync_api import Browser, Page

CATEGORIES = ["toplevel", "blink.user_timing", "__metadata"]
TASK = "ThreadControllerImpl::RunTask"
MARK = "arena"


def busy_ms(browser: Browser, page: Page, attack: Callable[[], Mapping[str, Any]]) -> float:
    """Trace one run; processor time, in ms, of the page's tasks in that gap of its timer which has the most."""
    browser.start_tracing(page=page, categories=CATEGORIES)
    try:
        marked_ms = page.evaluate("name => performance.mark(name).startTime", MARK)
        run = attack()
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    mark = next(event for event in events if event["name"] == MARK)
    tasks = [
        (event["ts"] / 1_000, event.get("dur", 0) / 1_000, event.get("tdur", 0) / 1_000)
        for event in events
        if event["name"] == TASK and (event["pid"], event["tid"]) == (mark["pid"], mark["tid"])
    ]
    assert tasks, "the trace holds no task of the page"
    offset_ms = mark["ts"] / 1_000 - marked_ms
    return max((_busy(tasks, at + offset_ms, at + ms + offset_ms) for at, ms in run["gaps"]), default=0.0)


def _busy(tasks: list[tuple[float, float, float]], began: float, ended: float) -> float:
    """Processor time of `tasks` (start, duration, processor time) between two moments, in ms."""
    total = 0.0
    for at, wall, processor in tasks:
        inside = min(at + wall, ended) - max(at, began)
        if inside > 0:
            total += min(processor, inside)
    return total
