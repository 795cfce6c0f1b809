"""The npm packages in Vite, webpack, Next.js and a page without a bundler: each app answers in Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hatch_build import node, npm
from tests.browser.static_site import hosted
from tests.builds.conftest import FOLDER, done_in
from tests.server.test_npm import RESOLUTIONS, checked

ANSWERED_MS = 120_000
BINARIES = FOLDER / "node_modules"
VITE = str(BINARIES / "vite" / "bin" / "vite.js")
NEXT = str(BINARIES / "next" / "dist" / "bin" / "next")
COPY = str(BINARIES / "pyodide-rlm-assets" / "copy.js")
BELOW = ("--base", "/sub/")
PUBLIC = """
npx pyodide-rlm-assets public/rlm-assets
"""
READY = re.compile(r"http://127\.0\.0\.1:\d+/\S*")


def answers(page: Page, url: str) -> None:
    """The page at `url` shows the answers of both its questions."""
    page.goto(url)
    expect(page.locator("#answer")).to_contain_text("Mara Lindqvist", timeout=ANSWERED_MS)
    expect(page.locator("#answer")).to_contain_text("| 91 of 91")


def says(page: Page, url: str, *parts: str) -> None:
    """The page at `url` shows a failure that holds all `parts`."""
    page.goto(url)
    for part in parts:
        expect(page.locator("#answer")).to_contain_text(part, timeout=ANSWERED_MS)


@contextmanager
def developed(folder: Path) -> Iterator[str]:
    """URL of the app under Vite's development server."""
    command = [*node(), VITE, str(folder), "--host", "127.0.0.1", "--port", "0", *BELOW]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={"NO_COLOR": "1"}) as server:
        try:
            assert server.stdout is not None
            lines = iter(server.stdout.readline, "")
            yield next(found[0] for line in lines if (found := READY.search(line)))
        finally:
            server.terminate()


def test_a_vite_app_answers_in_development(apps: Path, page: Page) -> None:
    with developed(apps / "vite") as url:
        answers(page, url)
        says(page, f"{url}?assets=/sub/nowhere/", "no assets at ", "/sub/nowhere/", "npx pyodide-rlm-assets")


def test_a_vite_build_answers_below_a_path_and_says_that_its_assets_are_missing(apps: Path, page: Page) -> None:
    done_in(apps / "vite", [*node(), VITE, "build", *BELOW])
    [script] = (apps / "vite" / "dist" / "assets").glob("*.js")
    assert script.stat().st_size < 330_000  # of which 120,000 are the element
    site = apps / "vite" / "site"
    shutil.copytree(apps / "vite" / "dist", site / "sub")
    with hosted(site) as url:
        answers(page, f"{url}/sub/")
        page.locator("rlm-ask [part=ask]").click()
        expect(page.locator("rlm-ask [part~=quote]")).to_contain_text("in the context", timeout=ANSWERED_MS)
        shutil.rmtree(site / "sub" / "rlm-assets")
        says(page, f"{url}/sub/", "no assets at ", "/sub/rlm-assets/", "answered 404", "npx pyodide-rlm-assets")


def test_vite_stops_where_the_assets_are_not_there(apps: Path) -> None:
    config = apps / "vite" / "lacking.config.js"
    config.write_text(
        (apps / "vite" / "vite.config.js").read_text().replace("rlmAssets()", 'rlmAssets({ from: "no" })')
    )
    command = [*node(), VITE, "build", "--config", str(config)]
    done = subprocess.run(command, cwd=apps / "vite", capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search(r'pyodide-rlm: \S+/no has no manifest\.json\. Fill it with "pyodide-rlm embed"', done.stderr)


def test_a_webpack_build_answers_and_says_that_the_option_is_missing(apps: Path, page: Page) -> None:
    folder = apps / "webpack"
    done_in(folder, [*node(), "build.js"])
    shutil.copyfile(folder / "index.html", folder / "dist" / "index.html")
    done_in(folder, [*node(), COPY, "dist/rlm-assets"])
    with hosted(folder / "dist") as url:
        answers(page, f"{url}/?assets=rlm-assets/")
        says(page, url, "the option assets is missing: this module was bundled", "npx pyodide-rlm-assets")


def test_a_next_app_answers_as_a_static_export(apps: Path, page: Page) -> None:
    folder = apps / "next"
    done_in(folder, [*npm(), "exec", "--offline", "--", *PUBLIC.split()[1:]])
    done_in(folder, [*node(), NEXT, "build"])
    with hosted(folder / "out") as url:
        answers(page, url)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_react_hook_of_the_manual_is_typed(resolution: str, apps: Path) -> None:
    assert checked(apps / "types", resolution) == ""


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_class_of_wllama_fits_the_adapters_type(resolution: str, apps: Path) -> None:
    assert checked(apps / "wllama", resolution, with_packages=False) == ""  # its types need those of node


@pytest.mark.parametrize("depth", ["", "deep/er/"])
def test_a_page_without_a_bundler_answers_at_any_path(depth: str, apps: Path, page: Page, tmp_path: Path) -> None:
    site = tmp_path / depth
    shutil.copytree(apps / "plain", site, dirs_exist_ok=True)
    shutil.copyfile(apps / "answer.js", site / "answer.js")
    shutil.copytree(BINARIES / "pyodide-rlm", site / "pyodide-rlm")
    done_in(site, [*node(), COPY, "pyodide-rlm/assets"])
    with hosted(tmp_path) as url:
        answers(page, f"{url}/{depth}")
