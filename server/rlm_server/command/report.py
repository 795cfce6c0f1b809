"""Report: a run as a file to take along, made from its log by the page's own code in a headless browser.

In: the text of a log. Out: Markdown, HTML or a notebook. Nothing is run, and no model is asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..headless.own_server import own_server

if TYPE_CHECKING:
    from ..headless.report_form import ReportForm


def report(log: str, form: ReportForm) -> str:
    """The report of the root run.

    Raises:
        ConfigError: the log has no ending, so that there is no answer to report, or it is no log.
        BrowserMissing: there is no Chromium.
    """
    return asyncio.run(_made(log, form))


async def _made(log: str, form: ReportForm) -> str:
    from ..headless.opening import open_page

    with own_server() as url:
        async with open_page(url) as page:
            return await page.report(log, form)
