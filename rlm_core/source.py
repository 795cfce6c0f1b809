"""Source: what can be told of Python source as text, without running it.

In: text that may or may not be Python, from a model. Out: facts about it. Nothing here raises, warns or takes more
than linear time, whatever the text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable


def dedent(lines: list[str]) -> list[str]:
    """Take the indentation of the first statement off every line, as far as a line has it.

    >>> dedent(["  # look", "    if x:", "        y()", "  z"])
    ['# look', 'if x:', '    y()', 'z']
    """
    margin = next((_indent(line) for line in lines if line.strip() and not line.lstrip().startswith("#")), 0)
    return [line[min(margin, _indent(line)) :] for line in lines] if margin else lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


_QUOTES = re.compile(r"\\.|\"\"\"|'''|\"|'|#", re.DOTALL)


class TripleQuotes:
    """Follows Python source line by line; `quote` is the triple quote that is open after the last line, or `""`."""

    def __init__(self) -> None:
        self.quote = ""

    def feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        short = ""  # an ordinary quote never outlives its line
        for found in _QUOTES.finditer(line):
            mark = found.group()
            if self.quote:
                self.quote = "" if mark == self.quote else self.quote
            elif short:
                short = "" if mark[:1] == short else short
            elif mark == "#":
                return
            elif len(mark) == 3:
                self.quote = mark
            elif mark[0] != "\\":
                short = mark


MAX_DEPTH = 90
"""Deepest nesting of brackets that is given to the compiler here; deeper code exhausts the stack in WebAssembly."""


def compiles(code: str) -> bool:
    """Whether `code` is Python; never raises, never warns."""
    if _depth(code) > MAX_DEPTH:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "<reply>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False
    return True


def _depth(code: str) -> int:
    """Deepest nesting of brackets in `code`, or of unary operators in a row, whichever is more."""
    depth = deepest = 0
    for found in re.finditer(r"[(\[{]|[)\]}]|(?:[-+~]\s*){20,}|(?:\bnot\s+){20,}", code):
        text = found.group()
        depth += 1 if text in "([{" else -1 if text in ")]}" else 0
        deepest = max(deepest, depth, len(text) if len(text) > 1 else 0)
    return deepest


def string_value(source: str) -> str | None:
    """The text of a Python string literal, or `None` if `source` is not exactly one.

    >>> string_value("'''it is'''")
    'it is'
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(source) if _depth(source) <= MAX_DEPTH else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, str) else None
