"""marimo: a notebook with a run, executed and exported, and opened in a browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser

from tests.notebooks.test_jupyter import CONTEXT

NOTEBOOK = f"""
import marimo

app = marimo.App()


@app.cell
def _():
    from rlm_server.headless import BlockingBrowserRLM

    with BlockingBrowserRLM() as rlm:
        result = rlm.run("Who signed the lease of the mill?", context={CONTEXT!r})
    result
    return


if __name__ == "__main__":
    app.run()
"""


def test_a_marimo_notebook_answers_and_its_export_shows_the_result(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(NOTEBOOK)
    command = [sys.executable, "-m", "marimo", "-y", "export", "html", "ask.py", "-o", "ask.html"]
    exported = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert exported.returncode == 0, exported.stderr
    text = (tmp_path / "ask.html").read_text()
    assert "pyodide-rlm-result" in text
    assert "Mara Lindqvist" in text.split("pyodide-rlm-result", 1)[1]
