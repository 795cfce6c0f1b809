"""The README's table of options: each row names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

NAMED = sorted(set(re.findall(r"`(test_\w+)`", README.read_text(encoding="utf-8"))))


def test_the_table_names_tests() -> None:
    assert len(NAMED) > 15


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_readme_names_is_there(name: str) -> None:
    assert any(f"def {name}(" in path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
