"""The adapter for wllama with the real package: a GGUF file of the person's is loaded in the tab, and writes tokens."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.static_site import hosted
from tests.builds.conftest import FOLDER
from tests.builds.tiny_gguf import write_tiny_model

LOADED_MS = 300_000
MODULES = FOLDER / "node_modules"


def test_a_file_of_the_persons_is_loaded_and_writes_tokens(apps: Path, page: Page, tmp_path: Path) -> None:
    site, model = tmp_path / "site", tmp_path / "tiny.gguf"
    shutil.copytree(apps / "wllama", site)
    shutil.copytree(MODULES / "pyodide-rlm", site / "pyodide-rlm")
    shutil.copytree(MODULES / "@wllama" / "wllama" / "esm", site / "wllama")
    write_tiny_model(model)
    with hosted(site) as url:
        page.goto(url)
        page.set_input_files("input", model)
        expect(page.locator("#answer")).to_have_text(re.compile("."), timeout=LOADED_MS)
        reply = json.loads(page.locator("#answer").text_content() or "")
        assert (reply["finishReason"], reply["usage"]["output_tokens"], reply["usage"]["cost"]) == ("length", 12, 0)
        assert reply["usage"]["input_tokens"] > len("Who signed the lease?")
        assert reply["text"] != ""
        page.reload()
        page.set_input_files("input", {"name": "no.gguf", "mimeType": "", "buffer": b"no model"})
        expect(page.locator("#answer")).to_contain_text("Is it a GGUF file", timeout=LOADED_MS)
