"""The core's whole unit suite, again, inside Pyodide in Chromium: by our own wheel, installed with micropip."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CPYTHON_ONLY = (
    "*_properties.py",
    "test_bridge.py",
    "test_comments.py",
    "test_docs.py",
    "test_forecast.py",
    "test_health.py",
    "test_layering.py",
    "test_protocol.py",
    "test_readme.py",
    "test_typed_examples.py",
    "test_waits.py",
)
"""Left out: hypothesis is not in Pyodide, and the others read the checkout or run a subprocess."""

MAX_WHEEL_BYTES = 14_000_000
"""The distribution's budget: PDFium and calamine are 3.2 MB of it."""

PARTS = 8
"""Calls of the browser's driver, each of which is answered within two minutes."""
START = """
import base64, io, json, micropip, sys, zipfile

await micropip.install(WHEELS, deps=False)
zipfile.ZipFile(io.BytesIO(base64.b64decode(SUITE))).extractall("/suite")
import pytest
from pathlib import Path

class Counts:
    def __init__(self):
        self.passed, self.failed = 0, []
    def pytest_runtest_logreport(self, report):
        self.passed += report.when == "call" and report.passed
        if report.failed:
            self.failed.append(f"{report.nodeid}: {report.longreprtext[-2000:]}")

sys.path.insert(0, "/suite")
files = sorted(str(path) for path in Path("/suite/tests/unit").rglob("test_*.py"))

def run(part, parts):
    counts = Counts()
    line = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", *files[part::parts]]
    status = pytest.main(line, plugins=[counts])
    return json.dumps({"status": int(status), "passed": counts.passed, "failed": counts.failed})
"""


@pytest.mark.driver_timeout(300)
def test_the_unit_suite_passes_inside_pyodide(selenium_standalone: Any) -> None:
    wheels = [path.name for path in (ROOT / "build" / "pyodide").glob("*.whl")]
    urls = [f"{selenium_standalone.base_url}/{name}" for name in wheels if not name.startswith("micropip")]
    micropip = next(name for name in wheels if name.startswith("micropip"))
    selenium_standalone.load_package(f"{selenium_standalone.base_url}/{micropip}")
    selenium_standalone.run_async(f"WHEELS = {urls!r}\nSUITE = {suite()!r}\n{START}")

    outcomes = [json.loads(selenium_standalone.run(f"run({part}, {PARTS})")) for part in range(PARTS)]

    failed = [test for outcome in outcomes for test in outcome["failed"]]
    assert not failed, "\n\n".join(failed)
    assert [outcome["status"] for outcome in outcomes] == [0] * PARTS
    assert sum(outcome["passed"] for outcome in outcomes) >= 100


def suite() -> str:
    """The unit tests as a zip archive in base64."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for folder in ("unit", "golden"):
            for path in sorted((ROOT / "tests" / folder).rglob("*")):
                if path.is_file() and not any(path.match(pattern) for pattern in CPYTHON_ONLY):
                    archive.write(path, str(path.relative_to(ROOT)))
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_wheel_that_is_installed_is_within_its_budget() -> None:
    """It is built by pyodide_dist.py, with all assets."""
    [wheel] = (ROOT / "build" / "pyodide").glob("pyodide_rlm-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert any("pypdfium2" in name for name in archive.namelist())
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES
