"""Examples in Python of the README and the manual pass mypy's strict mode: the packages carry their types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "python.md"]
CACHE = ROOT / ".mypy_cache" / "examples"
"""Its own: options that differ from the project's would have each of the two discard the other's."""
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_examples_are_typed(tmp_path: Path) -> None:
    paths = []
    for page in PAGES:
        for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            path = tmp_path / f"{page.stem.lower()}_{number}.py"
            path.write_text(block, encoding="utf-8")
            paths.append(str(path))
    assert len(paths) >= 3
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports=silent", "--cache-dir", str(CACHE)]
    said, problems, status = api.run(["--strict", *settings, *paths])
    assert (status, problems) == (0, ""), said
