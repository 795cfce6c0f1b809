"""The widget in a JupyterLab and in a live marimo, in a browser: runs in the notebook's page, over the kernel's data.

Cells of `docs/notebooks.md` are run as they stand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from urllib.parse import urlsplit

import nbconvert
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.docs_blocks import ROOT, blocks_of
from tests.notebooks.servers import jupyterlab, live_marimo
from tests.notebooks.test_jupyter import CONTEXT, SHOTS, notebook
from tests.notebooks.test_marimo import NOTEBOOK as BLOCKING

PATIENCE = 240_000
PAGE_CELLS = [block.text for block in blocks_of(ROOT / "docs" / "notebooks.md")]
LOG = "09:00 start\n09:05 the last error is a full disk on port 8080\n09:09 stop\n"
SHOWN = f"""
from rlm_server.widget import Ask
w = Ask("Who signed the lease of the mill?", context={CONTEXT!r})
w
"""
READ = """
result = await w.done()
print("READ:", result.answer, [item["status"] for item in result.evidence], w.result is result)
"""
FRAME = """
import pandas
import polars
from rlm_server.widget import Ask

CODE = '''```repl
import csv, io
rows = list(csv.DictReader(io.StringIO(context)))
total = add(sum(float(row["hours"]) for row in rows))
FINAL(f"{total} hours, {llm_query('Which unit? ' + rows[0]['name'])}", evidence=[rows[1]["name"]])
```'''
seen = []

def provider(call):
    prompt = call.messages[-1]["content"]
    return "human" if prompt.startswith("Which unit?") else CODE

def gate(request):
    seen.append(request["context_chars"])
    return "allow"

names = {"name": ["Ada", "Grace"], "hours": [1.5, 2.0]}
frames = [pandas.DataFrame(names), polars.DataFrame(names)]
asked = [Ask("How many hours?", context=frame, provider=provider, on_egress=gate, tools={"add": lambda x: x + 38.5},
             max_iterations=2) for frame in frames]
asked[0]
"""
HELD = """
import threading
from rlm_server.widget import Ask

release, calls = threading.Event(), []

def provider(call):
    prompt = call.messages[-1]["content"]
    calls.append(prompt[:5])
    if prompt == "hold":
        release.wait(60)
        return "held"
    if prompt == "quick":
        return "quick"
    return '```repl\\nFINAL(llm_query("quick") + ", " + llm_query("hold"))\\n```'

h = Ask("Are you there?", provider=provider)
h
"""


@contextmanager
def lab(browser: Browser, folder: Path, *cells: str) -> Iterator[Page]:
    """A JupyterLab's page with a notebook of `cells`, whose kernel is idle."""
    (folder / "ask.ipynb").write_text(json.dumps(notebook(*cells)))
    with jupyterlab(folder) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/lab/tree/ask.ipynb")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
        yield page
        page.close()


def menu(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("menuitem", name=name, exact=True).click()


def run_cell(page: Page, index: int) -> None:
    page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def outputs(page: Page, index: int) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea-output")


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE / 1_000
    while not is_so():
        assert time.monotonic() < until, "it does not become so"
        time.sleep(0.2)


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / name)


def test_a_question_is_answered_in_jupyterlabs_own_page(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text(LOG)
    with lab(browser, tmp_path, *PAGE_CELLS[:2]) as page:
        hosts: set[str] = set()
        page.context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        menu(page, "Run", "Run All Cells")
        expect(outputs(page, 1)).to_contain_text("full disk on port 8080", timeout=PATIENCE)
        expect(outputs(page, 1)).to_contain_text("['found']")
        expect(page.locator("[part=answer]")).to_contain_text("full disk on port 8080")
        shot(page, "widget-jupyterlab.png")
        others = hosts - {urlsplit(page.url).netloc, ""}
        assert others <= {"self-test.invalid"}  # which the worker tries, to find that it cannot


def test_views_a_second_question_and_the_saved_file(browser: Browser, tmp_path: Path) -> None:
    settings = tmp_path / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    with lab(browser, tmp_path, SHOWN, "w", READ, "w.close()") as page:
        for cell in (0, 1):
            run_cell(page, cell)
        views = page.locator("[part=result]")
        expect(views.nth(0)).to_contain_text("Mara Lindqvist", timeout=PATIENCE)
        expect(views.nth(1)).to_contain_text("Mara Lindqvist")
        expect(views.nth(1).locator("[part~=quote]")).to_have_count(1)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        expect(page.locator("[data-rlm-view]").first).to_have_css("color", "rgb(226, 233, 229)")
        shot(page, "widget-jupyterlab-dark.png")
        page.get_by_label("Question").nth(1).fill("What colour is the roof?")
        page.get_by_role("button", name="Ask", exact=True).nth(1).click()
        for view in (0, 1):
            expect(views.nth(view)).to_contain_text("The roof is red", timeout=PATIENCE)
        run_cell(page, 2)
        expect(outputs(page, 2)).to_contain_text("READ: The roof is red")
        page.keyboard.press("Control+s")
        wait_until(lambda: "READ: The roof is red" in (tmp_path / "ask.ipynb").read_text())
        saved, _ = nbconvert.HTMLExporter(template_name="basic").from_filename(str(tmp_path / "ask.ipynb"))
        assert "data-rlm-saved" in saved
        assert "The roof is red" in saved.split("data-rlm-saved", 1)[1].split("READ:", 1)[0]
        page.reload()  # the kernel is there, and with it the widget
        expect(views.nth(0)).to_contain_text("The roof is red", timeout=PATIENCE)
        assert page.locator("iframe[title^=rlm-]").count() == 0  # no worker is left
        run_cell(page, 3)
        expect(views).to_have_count(0)


def test_a_data_frame_with_tools_gate_and_a_provider_of_the_kernel(browser: Browser, tmp_path: Path) -> None:
    second = "asked[1]"
    read = "answers = [(await each.done()) for each in asked]\nprint('READ:', *(a.answer for a in answers), len(seen))"
    quotes = "print('QUOTES:', *(each.evidence[0]['quote'] + each.evidence[0]['source'] for each in answers))"
    with lab(browser, tmp_path, FRAME, second, read, quotes) as page:
        menu(page, "Run", "Run All Cells")
        expect(outputs(page, 2)).to_contain_text("READ: 42.0 hours, human 42.0 hours, human 4", timeout=PATIENCE)
        expect(outputs(page, 3)).to_contain_text("QUOTES: Gracetable.csv Gracetable.csv")


def test_a_reload_in_mid_run_pays_for_no_call_twice_and_a_stop_and_a_second_run_of_the_cell_end_it(
    browser: Browser, tmp_path: Path
) -> None:
    told = "print('CALLS:', calls, h.result and h.result.stopped_by)"
    again = "release.clear()\nh.ask('Once more?')"
    end = "print('ENDED:', (await old.done()).stopped_by)"
    with lab(browser, tmp_path, HELD, "release.set()", told, again, "old = h", end) as page:
        progress = page.locator("[part=progress]")
        waiting = "1 of 2 model calls answered"
        run_cell(page, 0)
        expect(progress).to_contain_text(waiting, timeout=PATIENCE)
        page.keyboard.press("Control+s")
        wait_until(lambda: "widget-view" in (tmp_path / "ask.ipynb").read_text())
        page.reload()
        expect(page.locator("[part=error]")).to_contain_text("Press Ask to continue it here", timeout=PATIENCE)
        run_cell(page, 1)
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("[part=answer]")).to_contain_text("quick, held", timeout=PATIENCE)
        run_cell(page, 2)
        expect(outputs(page, 2)).to_contain_text("final_answer", timeout=PATIENCE)
        assert outputs(page, 2).inner_text().count("quick") == 1
        run_cell(page, 3)
        expect(progress).to_contain_text(waiting, timeout=PATIENCE)
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(progress).to_contain_text("Ended without a final answer", timeout=PATIENCE)
        run_cell(page, 2)
        expect(outputs(page, 2)).to_contain_text("cancelled", timeout=PATIENCE)
        run_cell(page, 3)
        expect(progress).to_contain_text(waiting, timeout=PATIENCE)
        run_cell(page, 4)
        run_cell(page, 0)  # as its view goes, so does its run
        run_cell(page, 5)
        expect(outputs(page, 5)).to_contain_text("ENDED: cancelled", timeout=PATIENCE)


MARIMO = f"""
import marimo

app = marimo.App()


@app.cell
def _():
{indent(PAGE_CELLS[2], "    ")}
    return mo, w


@app.cell
def _(mo, w):
{indent(PAGE_CELLS[3], "    ")}
    return


@app.cell
def _(w):
    None if w.result is None else "READ: " + w.result.evidence[0]["status"]
    return


@app.cell
async def _(w):
    try:
        await w.widget.done()
    except Exception as fault:
        told = f"TOLD: {{fault}}"
    told
    return


if __name__ == "__main__":
    app.run()
"""


@contextmanager
def marimo(browser: Browser, folder: Path, text: str, *, theme: str = "light") -> Iterator[Page]:
    """The page of a live marimo with a notebook, which runs as it opens."""
    (folder / "ask.py").write_text(text)
    settings = f'[tool.marimo.display]\ntheme = "{theme}"\n[tool.marimo.runtime]\nauto_instantiate = true\n'
    (folder / "pyproject.toml").write_text(settings)
    with live_marimo(folder, "ask.py") as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        yield page
        page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_question_is_answered_in_a_live_marimo(browser: Browser, tmp_path: Path, theme: str) -> None:
    with marimo(browser, tmp_path, MARIMO, theme=theme) as page:
        expect(page.locator("[part=result]")).to_contain_text("Mara Lindqvist", timeout=PATIENCE)
        expect(page.locator("[part~=quote]")).to_have_count(1)
        expect(page.locator(".output-area").nth(1)).to_contain_text("signed by Mara Lindqvist", timeout=PATIENCE)
        expect(page.locator(".output-area").filter(has_text="READ:")).to_contain_text("found", timeout=PATIENCE)
        expect(page.locator(".output-area").filter(has_text="TOLD:")).to_contain_text("mo.ui.anywidget(Ask(...))")
        shot(page, f"widget-marimo-{theme}.png")


def test_a_run_in_a_headless_browser_shows_its_progress_in_a_live_marimo(browser: Browser, tmp_path: Path) -> None:
    with marimo(browser, tmp_path, BLOCKING) as page:
        output = page.locator(".output-area")
        expect(output).to_contain_text("starting Python", timeout=PATIENCE)
        expect(output.locator(".pyodide-rlm-result")).to_contain_text("Mara Lindqvist", timeout=PATIENCE)
        expect(output).not_to_contain_text("starting Python")
