"""Parse: a reply's text -> its code blocks and the final answer written in its text.

In: the root model's reply, any text at all. Out: `Parsed`. Nothing here runs code, and nothing here fails: the work
grows linearly with the reply, whatever it holds. The meaning of a final answer in the text is decided in `finish.py`.

>>> parse("Let me look.\\n```repl\\nprint(len(context))\\n```").blocks
(CodeBlock(code='print(len(context))', language='repl'),)
>>> parse("**FINAL(42)**").finals
(Final(kind='literal', text='42', evidence=''),)
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from .finals import INVISIBLE, LEAD, Final, Finals, is_final
from .python_source import TripleQuotes, compiles, dedent, mended
from .reply_text import spoken
from .types import CodeBlock

LANGUAGES = ("repl", "python", "py", "python3", "py3", "ipython", "ipython3", "tool_code")
"""Fence tags, in lower case, whose content is executed: where a reply holds `repl`, that one alone."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Content of a reply.

    Attributes:
        blocks: code blocks in the order written.
        finals: final answers in the text, in the order written.
        fenced_final: a `FINAL(...)` line stands inside a fence that is not code, where it is not read.
        cut: the reply was cut, by the provider's account.
        cut_block: its last block was cut with it, and is not among `blocks`.
    """

    blocks: tuple[CodeBlock, ...] = ()
    finals: tuple[Final, ...] = ()
    fenced_final: bool = False
    cut: bool = False
    cut_block: bool = False


def parse(reply: str, *, cut: bool = False) -> Parsed:
    """Read `reply`: code fences tagged as in `LANGUAGES` become blocks, the text outside all fences is read for finals.

    Args:
        reply: as it came; thoughts and markers of the server are no part of it, see `reply_text.py`.
        cut: whether the provider cut it: then a block left open at its end is none.
    """
    return _Reader(_LINE_END.sub("\n", spoken(reply)), cut=cut).read()


_LINE_END = re.compile(r"\r\r?\n|\r")

# --- Fences ---------------------------------------------------------------------------------------------------------


_TAG_END = re.compile(r"[^\w.-]|(?<=python3)\.|\.$")
"""What ends a tag: of `python:main.py`, `{python, echo=FALSE}`, `"repl"`, `python3.12` the word before it counts."""
_NUMBERED = re.compile(r"repl[-_]?\d{1,2}")
_STATEMENT = re.compile(r"(?:import |from [\w.]+ import |print\(|\w+ = )")
"""Code behind a tag, on the line of the fence."""
_TAG_LINES = ("repl", "python")
"""Tags that a model writes on a line of their own, below the fence."""
_UNSEEN = re.compile(f"[{INVISIBLE}]")
_LOOSE_CLOSE = re.compile(r"[ \t]*(?:```|~~~|``[ \t]*\Z)")
"""A line that a model may mean as the end of a block: other marks, fewer of them, or words behind them."""
_MAY_CLOSE = re.compile(r"```|~~~|^[ \t]*``[ \t]*$", re.MULTILINE)
_MOST_LOOSE = 4


@dataclass(frozen=True, slots=True)
class Fence:
    """A line of three or more back-ticks or tildes. `info` is the text after them: the tag, or nothing."""

    mark: str
    length: int
    info: str

    @property
    def tag(self) -> str:
        """Language tag in lower case, `""` when there is none."""
        info = self.info.lstrip("{[<(\"'. ").lower().removeprefix("language-").removeprefix("lang-")
        tag = _TAG_END.split(info)[0]
        return "repl" if _NUMBERED.fullmatch(tag) else tag

    @property
    def is_code(self) -> bool:
        return self.tag in LANGUAGES

    @property
    def code(self) -> str:
        """Code that stands behind the tag, and not on a line of its own."""
        rest = self.info.partition(" ")[2].strip()
        return rest if _STATEMENT.match(rest) and compiles(rest) else ""

    def closes(self, opening: Fence) -> bool:
        return self.mark == opening.mark and self.length >= opening.length and not self.info

    def interrupts(self, opening: Fence) -> bool:
        """Whether this opens a code block inside one that the model forgot to close (or opened by a stray fence)."""
        return self.is_code and self.mark == opening.mark and self.length >= opening.length


def fence_of(line: str) -> Fence | None:
    """The fence that `line` is.

    >>> fence_of("  1. ~~~~ Python")
    Fence(mark='~', length=4, info='Python')
    """
    if "```" not in line and "~~~" not in line:
        return None
    lead = LEAD.match(line)
    rest = line[lead.end() :] if lead else line
    mark = rest[:1]
    info = rest.lstrip(mark) if mark in ("`", "~") else rest
    length = len(rest) - len(info)
    if length < 3 or (mark == "`" and "`" in info):
        return None
    return Fence(mark, length, _UNSEEN.sub("", info).strip())


def _fence_after_text(line: str) -> Fence | None:
    """The code fence that ends `line` after some text: ``Let me look: ```repl``."""
    start = line.rfind("```")
    if start <= 0:
        return None
    length = len(line[: start + 3]) - len(line[: start + 3].rstrip("`"))
    fence = Fence("`", length, line[start + 3 :].strip())
    return fence if fence.is_code and fence.tag == fence.info.lower() else None


def _below_tag(code: str, opening: Fence) -> str:
    """The code of a block, `""` without any; its first line may repeat the tag, or stand beside it."""
    first, _, rest = code.partition("\n")
    if first.strip().lower() in _TAG_LINES:
        code = rest
    code = code if code.strip() else ""
    return "\n".join(part for part in (opening.code, code) if part)


class _Reader:
    """One pass over the lines of a reply."""

    def __init__(self, reply: str, *, cut: bool) -> None:
        self.cut = cut
        self.cut_block = False
        self.only_repl = False
        self.lines = reply.split("\n")
        self.fences = [fence_of(line) for line in self.lines]
        self.fence_lines = [number for number, fence in enumerate(self.fences) if fence is not None]
        self.spare = 2 * len(reply) + 1_000  # characters that may be looked at twice; keeps hostile replies linear
        self.blocks: list[CodeBlock] = []
        self.finals: list[Final] = []
        self.fenced_final = False
        self.texts = Finals(reply)

    def read(self) -> Parsed:
        at = 0
        while at < len(self.lines):
            fence = self.fences[at]
            if fence is None:
                at = self._text_line(at)
            elif fence.is_code:
                at = self._code(at, fence)
            elif not fence.info and self.lines[at + 1 : at + 2] == ["repl"]:
                at = self._code(at, Fence(fence.mark, fence.length, "repl"))
            else:
                at = self._other_fence(at, fence)
        repl = [block for block in self.blocks if block.language == "repl"]
        blocks = repl if repl or self.only_repl else self.blocks
        return Parsed(tuple(blocks), tuple(self.finals), self.fenced_final, self.cut, self.cut_block)

    def _text_line(self, at: int) -> int:
        """Read a line outside every fence; return the next line to read."""
        final_and_last = self.texts.final(self.lines[at], at)
        if final_and_last is not None:
            final, last = final_and_last
            if self._fences_between(at, last) % 2 == 0:
                self.finals.append(final)
                return last + 1
        opening = _fence_after_text(self.lines[at])
        if opening is not None and self._is_code_after_text(at, opening):
            return self._code(at, opening)
        return at + 1

    def _fences_between(self, first: int, last: int) -> int:
        return bisect_right(self.fence_lines, last) - bisect_right(self.fence_lines, first)

    def _is_code_after_text(self, at: int, opening: Fence) -> bool:
        """Whether code follows a fence that does not begin its line: only then can it be meant as a fence."""
        if self.spare < 0:
            return False
        end = next(self._ends(at, opening), len(self.lines))
        code = self._code_between(at, end)
        self.spare -= len(code) + end - at
        return compiles(code) or self._loose_end(at, end, opening) is not None

    def _other_fence(self, at: int, opening: Fence) -> int:
        """Skip a fence that is not code; a code fence inside an untagged one counts as the code it is."""
        for line in range(at + 1, len(self.lines)):
            fence = self.fences[line]
            if fence is None:
                self.fenced_final = self.fenced_final or is_final(self.lines[line])
            elif fence.closes(opening):
                return line + 1
            elif not opening.info and fence.interrupts(opening):
                return line
        return len(self.lines)

    def _code(self, at: int, opening: Fence) -> int:
        end = self._code_end(at, opening)
        code = self._code_between(at, end)
        may_be_loose = _MAY_CLOSE.search(code) is not None
        glued_end = self._loose_end(at, end, opening) if may_be_loose and not compiles(code) else None
        if glued_end is not None:
            code, end = glued_end
        closing = self.fences[end] if end < len(self.lines) else None
        if self.cut and end >= len(self.lines) and glued_end is None:
            self.cut_block = True
            self.only_repl = self.only_repl or opening.tag == "repl"
        elif code := _below_tag(code, opening):
            self.blocks.append(CodeBlock(mended(code), opening.tag))
        return end + 1 if closing is not None and closing.closes(opening) else end

    def _code_end(self, at: int, opening: Fence) -> int:
        """The line that ends the block opened in line `at`.

        That is the first closing fence; if the code up to there does not compile because the fence stands in a
        string literal, it is the first fence outside of strings, if the code up to that one compiles.
        """
        ends = self._ends(at, opening)
        first = next(ends, len(self.lines))
        outside = self._first_outside_strings(at, first, ends)
        if outside == first or compiles(self._code_between(at, first)):
            return first
        return outside if compiles(self._code_between(at, outside)) else first

    def _loose_end(self, at: int, end: int, opening: Fence) -> tuple[str, int] | None:
        """The code before an end that is no proper closing fence, and the line after that.

        It is the closing fence at the end of a line of code, or a line of `_LOOSE_CLOSE`; the first ones are tried.
        """
        marks, tried = opening.mark * opening.length, 0
        for line in range(at + 1, end):
            is_glued = self.lines[line].rstrip().endswith(marks)
            if not is_glued and _LOOSE_CLOSE.match(self.lines[line]) is None:
                continue
            code = self._code_between(at, line + 1 if is_glued else line)
            code = code.rstrip().removesuffix(marks) if is_glued else code
            tried += 1
            self.spare -= len(code)
            if compiles(code):
                return code, line + 1
            if tried == _MOST_LOOSE or self.spare < 0:
                break
        return None

    def _ends(self, at: int, opening: Fence) -> Iterator[int]:
        """The lines that may end the block opened in line `at`."""
        for position in range(bisect_right(self.fence_lines, at), len(self.fence_lines)):
            line = self.fence_lines[position]
            fence = self.fences[line]
            self.spare -= 1
            if fence is not None and (fence.closes(opening) or fence.interrupts(opening)):
                yield line

    def _first_outside_strings(self, at: int, first: int, ends: Iterable[int]) -> int:
        """The first of `first` and `ends` that is not inside a triple-quoted string; `first` if there is none."""
        strings = TripleQuotes()
        strings.feed(self.lines[at + 1 : first])
        if not strings.quote:
            return first
        last = first
        for end in chain(ends, [len(self.lines)]):
            between = self.lines[last:end]
            self.spare -= sum(map(len, between)) + len(between)
            if self.spare < 0:
                return first
            strings.feed(between)
            if not strings.quote:
                return end
            last = end
        return first

    def _code_between(self, opening: int, end: int) -> str:
        return "\n".join(dedent(self.lines[opening + 1 : end]))
