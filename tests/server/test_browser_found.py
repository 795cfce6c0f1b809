"""The Chromium that a headless run starts: one on the PATH, else Playwright's own, whose driver is running."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlm_server.headless.browser import BrowserMissing, find_browser, find_headless_browser
from rlm_server.headless.opening import launched


@pytest.fixture(autouse=True)
def no_browser_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PYODIDE_RLM_BROWSER", raising=False)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))


def test_playwrights_own_is_taken_where_none_is_on_the_path(tmp_path: Path) -> None:
    own = tmp_path / "own-chromium"
    own.touch()
    assert find_browser(str(own)) == own
    with pytest.raises(BrowserMissing, match="No Chromium found"):
        find_browser(str(tmp_path / "not-installed"))


def test_runs_take_the_smaller_one_where_the_path_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shell, named = (tmp_path / name for name in ("chromium", "chromium-headless-shell", "named"))
    for path in (whole, shell, named):
        path.touch(0o755)
    assert find_headless_browser() == shell
    assert find_browser() == whole
    monkeypatch.setenv("PYODIDE_RLM_BROWSER", str(named))
    assert find_headless_browser() == named
    monkeypatch.delenv("PYODIDE_RLM_BROWSER")
    shell.unlink()
    assert find_headless_browser() == whole


def test_a_run_without_any_says_how_to_get_one() -> None:
    async def main() -> None:
        async with launched("http://127.0.0.1"):
            pass

    pytest.importorskip("playwright")
    with pytest.raises(BrowserMissing, match="python -m playwright install chromium"):
        asyncio.run(main())


def test_the_program_that_installs_one_tells_the_one_that_is_there_without_a_warning(tmp_path: Path) -> None:
    (own := tmp_path / "chromium").touch(0o755)
    line = [sys.executable, "-W", "error::RuntimeWarning", "-m", "rlm_server.headless.install"]
    done = subprocess.run(line, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"browser: {own}\n", "")
