"""JSON depth: whether text may be given to a parser of JSON.

In: text of anyone. Out: whether it nests deeper than is parsed here. In WebAssembly a parser exhausts the browser's
stack at some thousand brackets, which no handler survives, and takes the interpreter with it.
"""

from __future__ import annotations

import re

MAX_DEPTH = 100
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)


def nests_deeply(text: str, begin: int = 0) -> bool:
    """Whether the JSON that begins at `begin` nests more than `MAX_DEPTH` deep; what follows it is not looked at.

    >>> nests_deeply("[" * 5_000), nests_deeply('{"a": "[[["}' + "[" * 5_000)
    (True, False)
    """
    depth = 0
    for mark in _MARKS.finditer(text, begin):
        depth += 1 if mark[0] in "[{" else -1 if mark[0] in "]}" else 0
        if depth <= 0:
            return False
        if depth > MAX_DEPTH:
            return True
    return False
