"""Python source: facts about it as text, without running it.

In: text that may or may not be Python, from a model. Out: facts about it. Nothing here raises, warns or takes more
than linear time, whatever the text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable


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
        self._short = ""

    def feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        short = self._short
        self._short = ""
        for match in _QUOTES.finditer(line):
            mark = match.group()
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
        if (len(line) - len(line.rstrip("\\"))) % 2:  # only a backslash at its end makes a quote outlive its line
            self._short = short


MAX_LINKS = 1_000
"""Most operators, calls, `elif`s and open brackets that may hang on one another in one expression. In WebAssembly the
compiler exhausts the stack at a few times that many, and takes the interpreter with it."""


def compiles(code: str) -> bool:
    """Whether `code` is Python; never raises, never warns."""
    if nests_too_deeply(code):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "<reply>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False
    return True


_STRINGS = re.compile(
    r"([A-Za-z]*)(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|#[^\n]*",
    re.DOTALL,
)
_LINKS = re.compile(r"\\\n|[(\[{]|[)\]}]|[,;\n]|[-+*/%@&|^~<>=.]+|\b(?:not|if|elif|lambda|and|or|in|is|await)\b")


def nests_too_deeply(code: str) -> bool:
    """Whether compiling `code` may exhaust the stack: more than `MAX_LINKS` links in one expression.

    >>> nests_too_deeply("+".join(["1"] * 5_000)), nests_too_deeply(str([1] * 5_000))
    (True, False)
    """
    if len(code) <= MAX_LINKS:
        return False
    bare = _STRINGS.sub(_without_text, code)
    return bare.count("elif") > MAX_LINKS or _longest_chain(bare) > MAX_LINKS


def _without_text(match: re.Match[str]) -> str:
    """A string literal without its text: nothing, or for an f-string the expressions in it."""
    prefix = (match.group(1) or "").lower()
    return prefix + " ".join(re.findall(r"\{[^{}]*\}", match.group())) if "f" in prefix else prefix


def _longest_chain(bare: str) -> int:
    """Most links that hang on one another; a comma or the end of a statement starts a new chain."""
    links, longest = [0], 0
    total = 0
    for match in _LINKS.finditer(bare):
        mark = match.group()
        if mark in ",;" or (mark == "\n" and len(links) == 1):
            total -= links[-1]
            links[-1] = 0
        elif mark in ")]}":
            total -= links.pop() if len(links) > 1 else 0
        elif mark != "\n" and mark != "\\\n":
            added = len(mark) if mark[0] in "-+~" else 1
            links[-1] += added
            total += added
            longest = max(longest, total)
        if mark in "([{":
            links.append(0)
    return longest


_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_QUOTE_MARKS = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'"})


_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")


def mended(code: str) -> str:
    """`code` with plain blanks and quotes in place of typographic ones, where it is no Python as it stands.

    String literals keep their text. Of a session with an interpreter's prompts, the lines that were typed are left.

    >>> mended("x\u00a0= 1"), mended(">>> 1 + 1\\n2")
    ('x = 1', '1 + 1')
    """
    if code.lstrip().startswith(">>> "):
        code = "\n".join(line[prompt.end() :] for line in code.split("\n") if (prompt := _PROMPT.match(line)))
    if code.isascii() or compiles(code):
        return code
    spaced = _outside_strings(code, lambda part: _INVISIBLE.sub("", _BLANKS.sub(" ", part)))
    if compiles(spaced):
        return spaced
    quoted = spaced.translate(_QUOTE_MARKS)
    return quoted if compiles(quoted) else spaced


def _outside_strings(code: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    at = 0
    for literal in _STRINGS.finditer(code):
        parts += [change(code[at : literal.start()]), literal.group()]
        at = literal.end()
    return "".join([*parts, change(code[at:])])


def string_value(source: str) -> str | None:
    """The text of a Python string literal, or `None` if `source` is not exactly one.

    >>> string_value("'''it is'''")
    'it is'
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(source) if source[-1:] in ("'", '"') else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, str) else None
