"""A rerun of a browser test: it does not find what the first attempt left in the fixtures of its module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

made = {"session": 0, "module": 0, "over": 0}

@pytest.fixture(scope="session")
def lasting():
    made["session"] += 1
    return []

@pytest.fixture(scope="module")
def kept(lasting):
    made["module"] += 1
    yield []
    made["over"] += 1

def test_first(kept, lasting):
    kept.append("a call")
    lasting.append("a call")
    assert (len(kept), len(lasting)) == (1, 2)

def test_next(kept):
    assert (kept, made) == (["a call"], {"session": 1, "module": 2, "over": 1})
"""


@pytest.mark.slow
def test_fixtures_of_a_module_are_made_anew_for_a_rerun_and_for_no_other_test(tmp_path: Path) -> None:
    (tmp_path / "test_twice.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text("from tests.reruns import pytest_runtest_setup\n")
    line = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path), "--reruns", "1"]
    root = Path(__file__).parents[2]
    done = subprocess.run([*line, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=60)
    assert "2 passed, 1 rerun" in done.stdout, done.stdout
