"""One Firefox for all tests of the folder, and a Chromium beside it for those that run in both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.firefox.bidi import FirefoxPage, firefox_window


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirefoxPage]:
    """Firefox of this machine; in CI a missing one is a failure."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        assert not os.environ.get("CI"), "Firefox is missing: run `make firefox`"
        pytest.skip("Firefox is missing: run `make firefox`")
    with firefox_window(binary, tmp_path_factory.mktemp("firefox")) as page:
        yield page


@pytest.fixture(params=["firefox", "chromium"])
def engine(request: pytest.FixtureRequest) -> FirefoxPage | Page:
    """A page of each engine: Chromium's of a first visit."""
    if request.param == "firefox":
        firefox: FirefoxPage = request.getfixturevalue("firefox")
        return firefox
    context: BrowserContext = request.getfixturevalue("new_context")
    return context.new_page()
