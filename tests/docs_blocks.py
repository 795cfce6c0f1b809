"""Blocks: the code blocks of the README and the manual, read from their pages.

In: a Markdown page. Out: its fenced blocks, each with its language, its line, and the reason where it is not run: a
line in italics directly above it that begins `Not run by the tests:`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = {"sh", "python", "js", "html"}
SHOWN = {"text"}
"""Output, trees and pictures: no code."""
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^\*Not run by the tests: (?P<reason>.+)\*\n\n?\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        line: line of its fence, from 1.
        reason: why it is not run; empty if it is.
        follows: whether it stands directly below the block before it: then it is that block's output.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str
    follows: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The blocks of `page`, in order."""
    text = page.read_text(encoding="utf-8")
    blocks, end = [], -1
    for found in FENCE.finditer(text):
        before = text[: found.start()]
        not_run = NOT_RUN.search(before)
        blocks.append(
            Block(
                page=page,
                line=before.count("\n") + 1,
                language=found["language"],
                text=found["text"],
                reason=not_run["reason"] if not_run else "",
                follows=end >= 0 and before[end:].strip() == "",
            )
        )
        end = found.end()
    return blocks
