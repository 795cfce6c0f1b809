"""WebKitGTK: an isolated page without SharedArrayBuffer and without JSPI; page and run say that true cause."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from selenium.webdriver import WebKitGTK
from selenium.webdriver.support.ui import WebDriverWait
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

DISPLAY = ":97"
FACTS = "return [crossOriginIsolated, typeof SharedArrayBuffer, 'Suspending' in WebAssembly]"
RUN = """
const done = arguments[0];
import("/rlm/rlm.js")
  .then(({ RLM }) => new RLM().run("Who signed the lease?", { context: "Ada signed the lease." }))
  .then(({ answer }) => done(answer), (error) => done(`${error.name}: ${error.message}`));
"""
CHECK = """
const done = arguments[0];
import("/rlm/rlm.js").then(({ checkEngine }) => checkEngine()).then(done, (error) => done(String(error)));
"""
CAUSE = re.compile(
    r"The page is isolated, but this engine \((WebKit \d+\.\d+)\) has no SharedArrayBuffer, and no JSPI in its place\."
)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    with serving(create_app(settings), drain_seconds=0) as url:
        yield url


@pytest.fixture(scope="module")
def webkit() -> Iterator[WebKitGTK]:
    """MiniBrowser, on a screen that nobody sees; its own sandbox needs rights that a container's root has not."""
    screen = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", "1280x800x24"], stderr=subprocess.DEVNULL)
    [binary, *_] = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))
    options = Options()
    options.binary_location = str(binary)
    options.add_argument("--automation")
    environment = {"DISPLAY": DISPLAY, "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
    try:
        with mock.patch.dict(os.environ, environment):
            driver = WebKitGTK(options=options, service=Service("/usr/bin/WebKitWebDriver"))
        driver.set_script_timeout(200)
        yield driver
        driver.quit()
    finally:
        screen.terminate()
        screen.wait(30)


def test_page_and_run_say_why_this_engine_cannot_wait(webkit: WebKitGTK, served: str) -> None:
    webkit.get(served)
    assert webkit.execute_script(FACTS) == [True, "undefined", False], "WebKitGTK has a channel now: let it answer"
    WebDriverWait(webkit, 60).until(lambda driver: CAUSE.search(driver.find_element("id", "app").text))
    outcome = webkit.execute_async_script(RUN)
    assert outcome.startswith("ChannelError: the Python worker did not start")
    assert CAUSE.search(outcome), outcome
    checked = webkit.execute_async_script(CHECK)
    assert (checked["channel"], checked["containment"]) == (None, None)
    said = CAUSE.match(checked["reason"])
    assert said
    assert said[1] == checked["name"]
