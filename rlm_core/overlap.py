"""Overlap: the sub-calls of a reply that is still being written.

In: the root model's reply, piece by piece, and the namespace as it is while the worker waits. Out: the model calls that
the finished statements of its `repl` blocks will make, as far as they can be computed without executing them; see
`pure_code.py`. A statement is finished once the next one begins, or the fence closes. Nothing here runs code, or
sends a call.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .parse import Fence, fence_of
from .provider import CallsOf
from .pure_code import PureCode
from .pure_names import Ended, Raised
from .python_source import dedent, nests_too_deeply
from .reply_text import spoken
from .types import ModelCall

MAX_REQUESTS = 64
"""Requests that leave ahead of one reply; the host takes no more."""
MAX_CALLS = 1_000
"""Model calls in them."""
MAX_PARSED = 1 << 20
"""Characters that are parsed for one reply: a statement that is not finished is parsed again with each line of it."""
NAMES = ("llm_query", "llm_batch", "llm_query_batched")
"""Functions whose calls may leave ahead."""
_BEGIN_CHARS = 9
"""Characters by which the beginning of a line tells that it is a new statement: those of `finally:`, and one more."""
_CONTINUES = ("else", "elif", "except", "finally", "case", ")", "]", "}", "#")
"""Beginnings of lines that belong to the statement before them, or to none."""
_SPLIT = re.compile("[\ud800-\udbff][\udc00-\udfff]")
"""A surrogate pair as two characters."""


class Ahead:
    """Reads the replies of one run.

    Args:
        namespace: of the REPL.
        calls_of: see `CallsOf`.
        names: of the functions that make sub-calls.

    >>> from rlm_core import Message
    >>> ask = lambda prompt: ""
    >>> calls_of = lambda name, args, kwargs: [ModelCall((Message("user", args[0]),))]
    >>> ahead = Ahead({"ask": ask, "context": "some text"}, calls_of, names=["ask"])
    >>> ahead.read(0, "```repl\\npart = context[:4]\\nask('Sum up: ' + part)\\n")
    []
    >>> [[call.messages[0].content for call in request] for request in ahead.read(5, "print(1)\\n```")]
    [['Sum up: some']]
    """

    def __init__(self, namespace: Mapping[str, Any], calls_of: CallsOf, *, names: Sequence[str] = NAMES) -> None:
        self._namespace = namespace
        self._functions = {name: namespace[name] for name in names}
        self._calls_of = calls_of
        self._text = ""
        self._sent: Counter[tuple[ModelCall, ...]] = Counter()
        self._statements = self._first()

    def read(self, at: int, text: str) -> list[tuple[ModelCall, ...]]:
        """The requests that a further piece of the reply brings; none twice, also of a reply that begins anew.

        Args:
            at: how much of the reply precedes the piece; 0 begins the reply.
            text: the piece.
        """
        if at == 0:
            self._text = ""
            self._statements = self._first()
        self._text = _whole(self._text + text)
        words = spoken(self._text).replace("\r\n", "\n")
        if not words.startswith(self._statements.words):  # what came now made thoughts of what came before
            self._statements = self._first()
        return [request for request in self._statements.read(words) if self._is_new(request)]

    def _first(self) -> _Statements:
        return _Statements(self._namespace, self._functions, self._calls_of)

    def _is_new(self, request: tuple[ModelCall, ...]) -> bool:
        if self._statements.count(request) <= self._sent[request]:
            return False
        is_allowed = self._sent.total() < MAX_REQUESTS and self._calls() + len(request) <= MAX_CALLS
        self._sent[request] += 1 if is_allowed else 0
        return is_allowed

    def _calls(self) -> int:
        return sum(len(request) * times for request, times in self._sent.items())


class _Statements:
    """The statements of the blocks of one reply.

    Attributes:
        words: the reply up to the end of the last line that was read.
    """

    def __init__(self, namespace: Mapping[str, Any], functions: Mapping[str, object], calls_of: CallsOf) -> None:
        self.words = ""
        self._code = PureCode(namespace, functions, self._take)
        self._calls_of = calls_of
        self._requests: list[tuple[ModelCall, ...]] = []
        self._times: Counter[tuple[ModelCall, ...]] = Counter()
        self._fence: Fence | None = None
        self._lines: list[str] = []
        self._left = MAX_PARSED
        self._is_raised = False
        self._is_over = False

    def count(self, request: tuple[ModelCall, ...]) -> int:
        """How often the statements so far make a request."""
        return self._times[request]

    def read(self, words: str) -> list[tuple[ModelCall, ...]]:
        """The requests of the statements that are finished now."""
        *lines, begun = words[len(self.words) :].split("\n")
        self.words = words[: len(words) - len(begun)]
        for line in lines:
            if not self._is_over:
                self._line(line)
        if not self._is_over and len(begun) >= _BEGIN_CHARS:
            self._begins(begun)
        requests, self._requests = self._requests, []
        return requests

    def _line(self, line: str) -> None:
        fence = fence_of(line)
        if self._fence is None:
            self._fence = fence
            self._lines = []
        elif fence is not None and fence.closes(self._fence):
            self._finish(self._lines)
            self._fence, self._is_raised = None, False
        elif fence is not None and fence.interrupts(self._fence):
            self._finish(self._lines)
            self._fence, self._lines, self._is_raised = fence, [], False
        else:
            self._begins(line)
            self._lines.append(line)

    def _begins(self, line: str) -> None:
        """A line begins: where it is a new statement, those before it are finished."""
        first = line[:1]
        if self._lines and first and not first.isspace() and not line.startswith((*_CONTINUES, "```", "~~~")):
            self._lines = self._lines if not self._finish(self._lines) else []

    def _finish(self, lines: list[str]) -> bool:
        """Follow the statements in `lines`; returns whether they are whole."""
        if self._fence is None or self._fence.tag != "repl" or self._is_over or self._is_raised:
            return True
        code = "\n".join(dedent(lines))
        self._left -= len(code)
        self._is_over = self._left < 0
        statements = None if self._is_over else _statements_in(code)
        if statements is None:
            return False
        try:
            self._code.run(statements)
        except Raised:
            self._is_raised = True
        except Ended:
            self._is_over = True
        return True

    def _take(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            request = tuple(self._calls_of(name, args, kwargs))
        except (TypeError, ValueError):
            raise Raised from None
        if request:
            self._requests.append(request)
            self._times[request] += 1


def _statements_in(code: str) -> list[ast.stmt] | None:
    """The statements of `code`, `None` where it is not whole."""
    if nests_too_deeply(code):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _whole(text: str) -> str:
    """`text` with each character whole: a piece may end between the halves of a surrogate pair."""
    return _SPLIT.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
