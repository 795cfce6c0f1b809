"""Packages of the user's choice in the contained worker: real wheels with the tag of its interpreter."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, Page

from rlm_server.assets import find_assets
from rlm_server.command.packages import Interpreter, Store
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.browser.lab import code, printed, run
from tests.readers import files

KEPT = Path(__file__).parents[2] / "build" / "cache" / "packages"
CHOSEN = ["pydantic_core", "arro3-io"]
NESTED = Path(__file__).parents[1] / "readers" / "nested.parquet"
UNREACHABLE = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def page_with_packages(browser: Browser) -> Iterator[Page]:
    """A page of a server beside which pydantic-core and arro3-io were added, from the index that pip is set up for."""
    Store(KEPT, Interpreter.of(find_assets().assets), UNREACHABLE).add(CHOSEN)
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="", packages_path=KEPT)  # type: ignore[call-arg]
    with serving(create_app(settings), drain_seconds=0) as url:
        page = browser.new_page()
        page.goto(url)
        yield page
        page.close()


IMPORTED = """
import pydantic_core, typing_extensions
print(pydantic_core.from_json('{"a": [1, 2]}')["a"])
[[name, rows]] = tables(context).items()
print(name, len(rows), rows[0], rows[-1][1])
import base64
[nested] = tables(base64.b64decode(NESTED)).values()
print(nested[4])
"""


def test_model_code_imports_packages_that_were_added(page_with_packages: Page) -> None:
    context = {"files": {"rows.parquet": [*files.columns("parquet")]}}
    nested = base64.b64encode(NESTED.read_bytes())
    replies = {
        "q": [code(IMPORTED.replace("NESTED", repr(nested))), code("FINAL(rlm_query('below'))")],
        "below": [code("import pydantic_core\nFINAL(pydantic_core.to_json([1]).decode())")],
    }
    result = run(
        page_with_packages, replies, question="q", context=context, options={"packages": CHOSEN, "maxDepth": 2}
    )
    assert printed(result).startswith("[1, 2]\nrows.parquet 14 ['id', 'day', 'remark'] 1970-04-10\n")
    assert "{'name': 'K-4711-QX', 'age': 1}, [('y', None), ('z', 2)], [{'p': None}], None, Dec" in printed(
        result
    )  # by the codecs of this interpreter's own wheel
    assert result["answer"] == "[1]"
    first = next(event for event in result["events"] if event["type"] == "call_started")
    assert "pydantic_core" in first["messages"][0]["content"]
    assert "13 rows of 3 columns: id, day, remark" in first["messages"][1]["content"]


def test_without_the_option_they_are_not_there(page_with_packages: Page) -> None:
    context = {"files": {"rows.parquet": [*files.columns("parquet")]}}
    blocks = [code("import pydantic_core"), code("read(context)"), code("FINAL(1)")]
    output = printed(run(page_with_packages, blocks, context=context))
    assert "No module named 'pydantic_core'" in output
    assert "is a Parquet file, whose reader is not here" in output


def test_a_package_that_was_not_added_is_refused_before_anything_runs(page_with_packages: Page) -> None:
    refused = run(page_with_packages, [code("FINAL(1)")], options={"packages": ["pandas"]})["error"]
    assert refused["name"] == "ConfigError"
    assert "no package pandas beside the server: `pyodide-rlm packages add pandas` adds it" in refused["message"]
    assert run(page_with_packages, [code("FINAL(1)")], options={"packages": ["Mammoth"]})["answer"] == "1"  # built in
