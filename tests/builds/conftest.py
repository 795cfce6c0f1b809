"""Apps as people build them: the packed npm packages, installed beside pinned bundlers in `build/builds`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hatch_build import ROOT, npm
from hatch_npm import PACKED, pack
from rlm_server.headless.browser import QUIET, find_browser

OWN = Path(__file__).parent
FOLDER = ROOT / "build" / "builds"
PINS = "package.json"


@pytest.fixture(scope="session")
def apps() -> Path:
    """The folder of the apps: bundlers from the registry where the pins changed, our packages anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    install = [*npm(), "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    if not (FOLDER / PINS).is_file() or (OWN / PINS).read_bytes() != (FOLDER / PINS).read_bytes():
        shutil.copyfile(OWN / PINS, FOLDER / PINS)
        done_in(FOLDER, install)
    done_in(FOLDER, [*install, "--no-save", "--offline", *(str(path) for path in pack(PACKED))])
    shutil.rmtree(FOLDER / "apps", ignore_errors=True)
    shutil.copytree(OWN / "apps", FOLDER / "apps")
    return FOLDER / "apps"


def done_in(folder: Path, command: list[str]) -> str:
    """Output of a command that must succeed; where it does not, the test's failure shows it."""
    environment = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()
