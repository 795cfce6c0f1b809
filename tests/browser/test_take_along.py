"""A run taken along, by the page and by the command: Markdown, HTML without a script, a notebook that runs, code."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.person import ScriptedModel, ask, code, drop_file, ended
from tests.browser.test_accessibility import serious_violations

LEASE = "The lease\nwas signed by Ada Lark in 1871.\nIt ended in 1890.\n"
HOSTILE = (
    "It was **Ada Lark** [1] ![x](https://example.org/a.png) <img src=https://example.org/b.png> <script>1</script>"
    " $x^2$, see Rows"
)
REPLIES = [
    "I look at it. <img src=https://example.org/c.png>\n"
    + code("print(len(context), context.count('in'))\nlines = context.splitlines()\nlines[0]"),
    code("years = llm_query('Which year? ' + lines[1], schema={'type': 'integer'})\nprint(years + 1)"),
    code("print(map_items(lines, 'One word.'), llm_batch(['a', 'b']))"),
    code(
        "display([{'n': n, 'name': f'row {n}'} for n in range(300)], title='Rows')\nplot([('x', 'y'), (1, 2), (2, 5)])"
    ),
    code("1 / 0"),
    code(f"FINAL({HOSTILE!r} * (lines[2] != ''), evidence=['was signed by Ada Lark in 1871'])"),
]


def answer_sub(prompt: str) -> str:
    return "1871" if "Which year?" in prompt else f"reply of {len(prompt)}"


@pytest.fixture
def taken(page: Page, tmp_path: Path) -> dict[str, Path]:
    """The files of one run, by their kind; the log is `jsonl`."""
    ScriptedModel(page, REPLIES, answer_sub=answer_sub)
    drop_file(page, "lease.txt", LEASE)
    ask(page, "Who signed it?")
    ended(page)
    page.click("#take-along summary")
    files = {}
    buttons = {"md": "#take-markdown", "html": "#take-html", "ipynb": "#take-ipynb", "jsonl": "#download"}
    for suffix, button in buttons.items():
        with page.expect_download() as download:
            page.click(button)
        files[suffix] = tmp_path / f"run.{suffix}"
        download.value.save_as(files[suffix])
        assert download.value.suggested_filename.endswith(f".{suffix}")
    return files


def test_a_run_is_taken_along_in_each_form(
    page: Page, context: BrowserContext, taken: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(page.locator("#take-said")).to_contain_text("Saved as report-")
    expect(page.locator("#python-code")).to_contain_text('session.run("Who signed it?", context=Path("lease.txt"))')
    assert serious_violations(page) == []
    text = taken["md"].read_text("utf-8")
    assert text.startswith("# Who signed it?\n\nIt was **Ada Lark** [1] \\![x](https://example.org/a.png) \\<img ")
    assert "## Displayed\n\n### Rows\n\n| n | name |\n| --- | --- |\n| 0 | row 0 |\n" in text
    assert '- [1] lease.txt:2 "was signed by Ada Lark in 1871"' in text
    assert "- Context: lease.txt (60 characters)" in text
    check_html(context.new_page(), taken["html"])
    check_notebook(taken["ipynb"], monkeypatch)
    command = [sys.executable, "-m", "rlm_server.command.cli", "export", str(taken["jsonl"]), "--format"]
    made = subprocess.run([*command, "html"], capture_output=True, text=True, timeout=120, check=True).stdout
    assert made == taken["html"].read_text("utf-8")


def check_html(page: Page, file: Path) -> None:
    """It shows all of it, holds nothing that runs, and asks for nothing."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator("article h1")).to_have_text("Who signed it?")
    expect(page.locator(".answer strong")).to_have_text("Ada Lark")
    expect(page.locator("#evidence-1")).to_contain_text("lease.txt, line 2")
    expect(page.locator("details[open]")).to_have_count(0)
    page.locator("summary", has_text="Iteration 4").click()
    expect(page.locator("article > figure table tbody tr")).to_have_count(200)
    expect(page.locator(".answer math")).to_be_visible()
    expect(page.locator("details figure table tbody tr")).to_have_count(200)
    expect(page.locator("figure img")).to_be_visible()
    page.click(".answer a")
    assert page.evaluate("document.querySelectorAll('script, .answer img, iframe, [onclick]').length") == 0
    assert serious_violations_of(page) == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def serious_violations_of(page: Page) -> list[str]:
    """As of the page: the file's own policy forbids scripts, which axe is."""
    violations: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations += serious_violations(page)
    return violations


def check_notebook(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells run in plain Python, and print as they did in the run."""
    notebook = json.loads(file.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    (file.parent / "lease.txt").write_text(LEASE, encoding="utf-8")
    monkeypatch.chdir(file.parent)
    names: dict[str, Any] = {"__name__": "__main__"}
    compared = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        output, fault = executed(cell["source"], names)
        assert bool(fault) == (cell["metadata"].get("tags") == ["raises-exception"]), (cell["source"], fault)
        printed = "".join(part["text"] for part in cell["outputs"] if part["output_type"] == "stream")
        if "display(" not in cell["source"]:  # what a person sees is another line for the model
            assert output == printed
        compared += printed != ""
    assert compared == 4
    kinds = [kind for cell in notebook["cells"] for part in cell.get("outputs", []) for kind in part.get("data", {})]
    assert {"text/html", "text/markdown", "text/plain"} <= set(kinds)
    texts = "".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    assert "\\<img" in texts
    assert "<img" not in texts.replace("\\<img", "")


def executed(source: str, names: dict[str, Any]) -> tuple[str, str]:
    """The output of a cell, and the name of its error."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            exec(compile(source, "cell", "exec"), names)
        except Exception as fault:  # noqa: BLE001 - code of a run may raise anything
            return output.getvalue(), type(fault).__name__
    return output.getvalue(), ""


def test_a_block_that_was_stopped_or_ended_its_interpreter_is_shown_in_the_notebook_and_not_run(
    page: Page, tmp_path: Path
) -> None:
    stuck, deadly = "print('stuck')\nwhile True: pass", "import os\nos._exit(3)"
    ScriptedModel(page, [code(stuck), code(deadly), code("FINAL('Ada')")])
    page.locator("#limit-blockSeconds").evaluate(
        "box => { for (let up = box; up; up = up.parentElement) up.open = true; }"
    )
    page.fill("#limit-blockSeconds", "1")
    page.fill("#context-text", "text")
    ask(page, "Who signed it?")
    ended(page)
    page.click("#take-along summary")
    with page.expect_download() as download:
        page.click("#take-ipynb")
    download.value.save_as(tmp_path / "run.ipynb")
    cells = json.loads((tmp_path / "run.ipynb").read_text("utf-8"))["cells"]
    raw = [cell["source"] for cell in cells if cell["cell_type"] == "raw"]
    assert raw == [f"This block was stopped in the run.\n\n{block}" for block in (stuck, deadly)]
    assert [cell["source"] for cell in cells if cell["cell_type"] == "code"][2:] == ["FINAL('Ada')"]
