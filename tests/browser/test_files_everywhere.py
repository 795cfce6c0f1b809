"""The table of kinds by every front end: page, command, and Python awaited and blocking read each file the same.

A front end is compared by the messages that reach the model: the first describes the files, the last holds the text and
the rows of each. All files stand in one folder, so that each front end makes one run.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rlm_server.headless import BlockingBrowserRLM
from tests.browser.headless.driving import driven
from tests.browser.lab import code
from tests.browser.person import ask
from tests.browser.scripted_model import ScriptedModel, scripted_model
from tests.browser.test_cli import started
from tests.readers import files, planted
from tests.readers.test_readers import TABLES

TABLED = [f"kinds/{files.READABLE[kind][0]}" for kind in TABLES]
READ_EACH = code(
    f"""
import hashlib
TABLED = {TABLED}
"""
    + """
print("FILES")
for name, value in context.items():
    try:
        text = read(value)
        seen = "fact" if "K-4711-QX" in text else "no fact", hashlib.sha256(text.encode()).hexdigest()[:8]
    except ReadError as fault:
        seen = "refused", fault
    if name in TABLED:
        rows = tables(value)
        seen += *rows, hashlib.sha256(repr(rows).encode()).hexdigest()[:8]
    print(name, type(value).__name__, *seen, sep=" | ")
"""
)
WAIT_MS = 200_000
FrontEnd = Callable[[str], None]
"""Asks the question over the folder."""


@pytest.fixture(scope="module")
def model(chromium: Path) -> Iterator[ScriptedModel]:
    with scripted_model() as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of each kind; those that cannot be read lie one folder deeper."""
    top = tmp_path / "kinds"
    (top / "refused").mkdir(parents=True)
    for name, make in files.READABLE.values():
        (top / name).write_bytes(planted.bytes_of(make()))
    for name, make, _ in files.REFUSED.values():
        (top / "refused" / name).write_bytes(make())
    return top


@pytest.fixture
def front_ends(model: ScriptedModel, folder: Path, page: Page) -> Iterator[dict[str, FrontEnd]]:
    def by_page(question: str) -> None:
        page.goto(model.url)
        page.set_input_files("#context-folder", folder)
        page.locator(".attachments li").wait_for(timeout=WAIT_MS)
        ask(page, question)
        expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=WAIT_MS)

    def by_command(question: str) -> None:
        run: subprocess.Popen[str] = started(model, question, "--context", str(folder))
        out, err = run.communicate(timeout=WAIT_MS / 1_000)
        assert (run.returncode, out) == (0, "done\n"), err

    with BlockingBrowserRLM(model.url, model="openai:m") as rlm:
        yield {
            "page": by_page,
            "command": by_command,
            "blocking": lambda question: _check(rlm.run(question, context=folder)),
            "awaited": lambda question: _check(driven(rlm, lambda opened: opened.run(question, context=folder))),
        }


def _check(result: Any) -> None:
    assert result.answer == "done"


def messages(model: ScriptedModel, use: FrontEnd) -> list[str]:
    """The user messages of the last root call of a run."""
    question = model.question(READ_EACH, code("FINAL('done')"))
    use(question)
    sent = [turn["content"] for turn in model.bodies[-1]["messages"] if turn["role"] == "user"]
    return [text.replace(question, "QUESTION") for text in sent]


def test_each_front_end_reads_each_kind_the_same(model: ScriptedModel, front_ends: dict[str, FrontEnd]) -> None:
    sent = {name: messages(model, use) for name, use in front_ends.items()}
    assert {name for name, texts in sent.items() if texts != sent["page"]} == set()
    described, read = sent["page"]
    assert f"`context` is a dict of {len(files.READABLE) + len(files.REFUSED)} keys" in described
    lines = re.findall(r"^kinds/(.*)$", read, re.M)
    seen = {name: rest for name, _, *rest in (line.split(" | ") for line in lines)}
    assert {name: seen[name][0] for name, _ in files.READABLE.values()} == {
        name: "fact" for name, _ in files.READABLE.values()
    }
    assert len(files.READABLE) >= 60
    for kind, (table, _) in TABLES.items():
        assert table in seen[files.READABLE[kind][0]]
    for name, _, reason in files.REFUSED.values():
        assert seen[f"refused/{name}"][0] == "refused"
        assert reason in seen[f"refused/{name}"][1]
