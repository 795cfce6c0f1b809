"""Jupyter: a notebook with a run, executed by nbclient, and in a JupyterLab in a browser."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Browser, expect

from tests.notebooks.servers import jupyterlab

CONTEXT = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931. The roof is red."
BLOCKING = f"""
from rlm_server.headless import BlockingBrowserRLM
with BlockingBrowserRLM() as rlm:
    result = rlm.run("Who signed the lease of the mill?", context={CONTEXT!r})
result
"""
SEEN = "iteration-seen"
GATE = f"""
import asyncio
from pathlib import Path

async def gate(request):
    while not Path({SEEN!r}).exists():
        await asyncio.sleep(0.01)
    return "allow"
"""
AWAITED = f"""
from rlm_server.headless import BrowserRLM
Path({SEEN!r}).unlink()
async with BrowserRLM(on_egress=gate) as rlm:
    awaited = await rlm.run("Who signed the lease of the mill?", context={CONTEXT!r})
print(repr(awaited))
"""
SHOTS = Path(os.environ.get("SCREENSHOTS", "build/screenshots"))


def notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


def html_of(cell: Any) -> list[str]:
    return [output.data["text/html"] for output in cell.outputs if "text/html" in getattr(output, "data", {})]


def test_a_notebook_answers_blocking_and_in_its_own_loop(tmp_path: Path) -> None:
    """Each run's first call leaves once the line of its iteration was seen: the stand-in's replies are too fast."""
    book = notebook(GATE, BLOCKING.replace("BlockingBrowserRLM()", "BlockingBrowserRLM(on_egress=gate)"), AWAITED)
    seen: list[list[str]] = [[] for _ in book.cells]

    class Watched(NotebookClient):  # type: ignore[misc]
        def process_message(self, message: Any, cell: Any, index: int) -> Any:
            if message["msg_type"] in ("display_data", "update_display_data"):
                seen[index].append(message["content"]["data"].get("text/html", ""))
                if "Iteration 1" in seen[index][-1]:
                    (tmp_path / SEEN).touch()
            return super().process_message(message, cell, index)

    Watched(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, blocking, awaited = book.cells
    *progress, shown = html_of(blocking)
    assert progress == [""]  # the line of progress is gone
    assert "Mara Lindqvist" in shown
    assert "<details>" in shown
    for lines in seen[1:]:
        assert any("starting Python" in line for line in lines)
        assert any("Iteration 1" in line for line in lines)
    text = "".join(output.text for output in awaited.outputs if output.output_type == "stream")
    assert text.startswith("HeadlessResult(")
    assert "Mara Lindqvist" in text
    assert len(text) < 500


def test_a_person_runs_the_notebook_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "ask.ipynb").write_text(json.dumps(notebook(BLOCKING)))
    with jupyterlab(tmp_path) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{url}/lab/tree/ask.ipynb")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        answer = page.locator(".pyodide-rlm-result")
        expect(answer).to_contain_text("Mara Lindqvist", timeout=240_000)
        answer.get_by_text("iterations,").click()
        expect(answer.get_by_text("Iteration 1", exact=True)).to_be_visible()
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "jupyterlab.png")
        page.close()
