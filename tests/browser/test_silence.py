"""The headless browser is silent: its net log names no host but the run's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from rlm_server.headless.browser import NO_DISPLAY, QUIET, launch_options
from tests.browser.lab import code
from tests.browser.scripted_model import scripted_model

DEAD_END = "127.0.0.1:1"
"""Where the account service is sent; a port that Chromium refuses before it connects."""
SECONDS = 20
"""Time that the run lasts: the vendor's services are called within the first ten."""


def of_types(log: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    numbers = {number for name, number in log["constants"]["logEventTypes"].items() if name in names}
    return [event.get("params", {}) for event in log["events"] if event["type"] in numbers]


def read_log(path: Path) -> Any:
    """A log of the network, up to its last whole event where Chromium did not write the end: each event is a line."""
    log = path.read_text()
    try:
        return json.loads(log)
    except json.JSONDecodeError:
        return json.loads(log[: log.rindex("},\n") + 1] + "]}")


def test_a_log_that_was_cut_is_read_up_to_its_last_whole_event(tmp_path: Path) -> None:
    path, whole = tmp_path / "net.json", '{"constants": {},\n"events": [\n{"type": 1},\n{"type": 2},\n{"type": 3}]}\n'
    for end, read in ((len(whole), 3), (whole.index(',\n{"type": 3') + 2, 2), (whole.index("3"), 2)):
        path.write_text(whole[:end])
        assert [event["type"] for event in read_log(path)["events"]] == [1, 2, 3][:read]


def test_a_run_of_the_command_contacts_no_host_but_its_own(chromium: Path, tmp_path: Path) -> None:
    """Measured with the Chromium of the machine; CI's is named in SECURITY.md."""
    net_log, browser = tmp_path / "net.json", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nexec {chromium} --log-net-log={net_log} "$@"\n')
    browser.chmod(0o755)
    with scripted_model() as model:
        question = model.question(code(f"import time\ntime.sleep({SECONDS})\nFINAL(llm_query('sub'))"))
        line = [sys.executable, "-m", "rlm_server", "run", question, "--model", "openai:m"]
        variables = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.upstream, "PYODIDE_RLM_BROWSER": str(browser)}
        done = subprocess.run(line, env={**os.environ, **variables}, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout) == (0, "sub:sub\n"), done.stderr
    log = read_log(net_log)
    urls = [entry["url"] for entry in of_types(log, "URL_REQUEST_START_JOB") if "url" in entry]
    hosts = {urlsplit(url).netloc for url in urls if not url.startswith("none:")}
    (own,) = hosts - {DEAD_END}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", own)
    assert len(urls) > 10
    connected = {str(entry.get("address")) for entry in of_types(log, "TCP_CONNECT_ATTEMPT") if "address" in entry}
    assert connected == {own}
    assert of_types(log, "HOST_RESOLVER_MANAGER_JOB_STARTED", "HOST_RESOLVER_DNS_TASK", "DNS_TRANSACTION") == []


def test_a_window_draws_no_popup_of_the_address_bar(browser: Browser) -> None:
    """Each is a page and a process of its own, and costs more than the window; Chromium may rename their features."""
    devtools = browser.new_browser_cdp_session()
    page = browser.new_page()
    targets = devtools.send("Target.getTargets", {"filter": [{}]})["targetInfos"]
    page.context.close()
    assert [each["url"] for each in targets if each["type"] == "browser_ui"] == []
    assert "page" in {each["type"] for each in targets}


def test_only_the_servers_host_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    assert "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" in launch_options("http://127.0.0.1:80")["args"]
    assert "--no-proxy-server" in launch_options("http://[::1]:80/")["args"]
    remote = launch_options("https://rlm.example.org")["args"]
    assert remote == [*QUIET, *NO_DISPLAY, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE rlm.example.org"]
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    assert launch_options("https://rlm.example.org")["args"] == [*QUIET, *NO_DISPLAY]
    plain = launch_options("http://10.0.0.1:8000/rlm")["args"]
    assert plain[-1] == "--unsafely-treat-insecure-origin-as-secure=http://10.0.0.1:8000"
