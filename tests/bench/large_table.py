"""Large table: a CSV of 50 MB asked by the built-in stand-in on the page, its seconds and the peak of the tab's memory.

In: an open `Lab`, for its browser. Out: `Row`s. The budgets are parts of the first release's figures beside it, 40 s
and 821 MB.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from playwright.sync_api import Page

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.bench.lab import Lab
from tests.bench.rows import MB, Row

SIZE = 50 * MB
ROW = "{0},Town{1},Owner {2},{3},the quick brown fox number {0} went home\n"
FACT = "X,Harbour,Wilhelmina Oddy,4411,the lighthouse keeper of Harbour is Wilhelmina Oddy\n"
READING_MS = 100
LONGEST_SECONDS = 300


def large_table_rows(lab: Lab) -> Iterator[Row]:
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    with tempfile.TemporaryDirectory() as folder, serving(create_app(settings)) as url:
        page = lab.context.new_page()
        page.goto(url)
        page.set_input_files("#context-files", written(Path(folder, "rows.csv")))
        page.wait_for_timeout(2_000)
        before = lab.renderer_bytes()
        seconds, peak = asked(lab, page)
        page.close()
    yield Row("a CSV of 50 MB asked by the stand-in", seconds, "s", 20)
    yield Row("peak of the tab's memory meanwhile, above an idle page", (peak - before) / MB, "MB", 490)


def asked(lab: Lab, page: Page) -> tuple[float, int]:
    """Seconds until the answer, and the most bytes that the browser's pages took."""
    page.fill("#question", "Who is the lighthouse keeper of Harbour?")
    began = time.perf_counter()
    page.click("#run")
    peak = 0
    while "Oddy" not in "".join(page.locator("#answer").all_text_contents()):
        assert time.perf_counter() - began < LONGEST_SECONDS, "no answer came"
        peak = max(peak, lab.renderer_bytes())
        page.wait_for_timeout(READING_MS)
    return time.perf_counter() - began, peak


def written(path: Path) -> Path:
    """Rows up to `SIZE`, with one fact among the last."""
    with path.open("w") as file:
        file.write("id,city,owner,amount,comment\n")
        for number in range(1, SIZE // 75):
            file.write(ROW.format(number, number % 977, number % 5003, number * 37 % 100_000))
            if number == 420_000:
                file.write(FACT)
    return path
