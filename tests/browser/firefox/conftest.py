"""One Firefox for the tests of a file; it is closed after them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.browser.firefox.bidi import FirefoxPage, firefox_window


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirefoxPage]:
    """Firefox of this machine; in CI a missing one is a failure."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        assert not os.environ.get("CI"), "Firefox is missing: run `make firefox`"
        pytest.skip("Firefox is missing: run `make firefox`")
    with firefox_window(binary, tmp_path_factory.mktemp("firefox")) as page:
        yield page
