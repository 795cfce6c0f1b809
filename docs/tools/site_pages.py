"""Site: hooks of mkdocs. The pages in the root become pages of the site, and links between both work in either place.

In: docs/ and the Markdown files of the root. Out: the pages that mkdocs renders; README.md is its start.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "SECURITY.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "THIRD_PARTY.md": "THIRD_PARTY.md",
}
"""Files of the root -> their names in the site."""
LINK = re.compile(r"\]\((?:\.\./|docs/)?([\w./-]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links as the site has them.

    >>> on_page_markdown("[a](docs/options.md) [b](../SECURITY.md#reporting) [c](README.md) [d](https://a.example/docs/x)")
    '[a](options.md) [b](SECURITY.md#reporting) [c](index.md) [d](https://a.example/docs/x)'
    """
    return LINK.sub(lambda link: f"]({PAGES.get(link[1], link[1])}", markdown)
