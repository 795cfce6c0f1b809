"""Plain words: whether a final answer written in text is words, or code that nobody will evaluate.

In: the text between the brackets, and the names that are bound. Out: the kind of it. Text that parses as an expression
over a variable, or as a call, is code; so is text with a variable's name in braces.

>>> kind_of_text("The harbour master is Ada.", lambda name: False)
'words'
>>> kind_of_text("', '.join(rows)", lambda name: False)
'code'
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Callable
from typing import Literal

from .python_source import nests_too_deeply

TextKind = Literal["words", "code", "name", "placeholder"]

MAX_EXPRESSION_CHARS = 4_000
"""Characters of the longest text that is parsed: longer expressions are not written as an answer."""

PLACEHOLDERS = frozenset({"youranswer", "yourfinalanswer", "finalanswer", "youranswerhere", "answerhere", "..."})
"""Texts that stand for an answer, without blanks and marks; the prompt's own are among them."""
_IN_BRACKETS = re.compile(
    r"[<\[{](?:[a-z']{1,20} ){0,4}(?:answer|result|value)(?: (?:here|goes here))?[>\]}]", re.IGNORECASE
)
"""The same in brackets, described in other words: `<the answer>`."""
_NAMES = frozenset({"value", "name", "answer", "variable", "variablename"})
"""Names that stand for a variable's, in the prompt or where one is described."""

_BRACED = re.compile(r"(?<![\\\w}^_])\$?\{\{?\s*([A-Za-z_]\w*)\b[^{}]*\}")
_TAGGED = re.compile(r"<\s*([A-Za-z_]\w*)\s*>")
_DOLLAR = re.compile(r"\$([A-Za-z_]\w*)")
_SPACED_CALL = re.compile(r"\w\s+\(")
_SLOT = re.compile(r"%[-+ 0#\d.]*[sdifgr]|\{[^{}]*\}")
_FILLING = re.compile(r"%\s*\(?\s*([A-Za-z_]\w*)[^%()]*\)?\s*\Z|\.(format)\([^()]*\)\s*\Z")
"""A place in a template, and the end that fills it: `%d rows % n`, `{} rows.format(n)`."""
_CODE = (ast.JoinedStr, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Await, ast.NamedExpr)


def is_placeholder(text: str) -> bool:
    """Whether `text` only stands for an answer.

    >>> is_placeholder("<the final result>"), is_placeholder("\u2026"), is_placeholder("42")
    (True, True, False)
    """
    bare = _without_marks(text)
    if _IN_BRACKETS.fullmatch(text.strip()):
        return True
    return (bare != "" and not bare.strip(".")) or bare.rstrip(".") in PLACEHOLDERS


def _without_marks(text: str) -> str:
    return re.sub(r"[\s<>\[\]{}\"'`*_]", "", text.lower()).replace("\u2026", "...")


def names_in_braces(text: str, is_bound: Callable[[str], bool]) -> bool:
    """Whether `text` waits for a variable's value, as an f-string would: `{n}`, `{len(rows)}`, `$n`, `<n>`."""
    alone = _DOLLAR.fullmatch(text.strip()) or _TAGGED.fullmatch(text.strip())
    if alone is not None and is_bound(alone.group(1)):
        return True
    return any(_is_value(match.group(1), is_bound) for match in _BRACED.finditer(text[:MAX_EXPRESSION_CHARS]))


def kind_of_text(text: str, is_bound: Callable[[str], bool]) -> TextKind:
    """The kind of `text`: a bare name is one whether it is bound or not.

    Args:
        text: as it stands between the brackets of a final answer.
        is_bound: whether a name is a variable of the REPL.
    """
    if is_placeholder(text) or _without_marks(text) in _NAMES:
        return "placeholder"
    bare = text.strip().strip("`*").strip()
    if bare.isidentifier() and bare not in ("None", "True", "False"):
        return "name"
    if names_in_braces(text, is_bound) or _is_filled(bare, is_bound):
        return "code"
    expression = _expression(bare)
    return "code" if expression is not None and _is_code(expression, bare, is_bound) else "words"


def _expression(text: str) -> ast.expr | None:
    if len(text) > MAX_EXPRESSION_CHARS or nests_too_deeply(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _is_code(expression: ast.expr, text: str, is_bound: Callable[[str], bool]) -> bool:
    nodes = list(ast.walk(expression))
    if any(isinstance(node, ast.Name) and is_bound(node.id) for node in nodes):
        return True
    if any(isinstance(node, _CODE) for node in nodes):
        return True
    if any(isinstance(node, ast.Subscript) for node in nodes):
        return True
    if any(isinstance(node, ast.Call) and _is_call(node, text, is_bound) for node in nodes):
        return True
    return isinstance(expression, ast.BinOp) and _formats(expression)


def _is_call(node: ast.Call, text: str, is_bound: Callable[[str], bool]) -> bool:
    """Whether a call is meant: `Ada (1815)` is a name with a year."""
    if isinstance(node.func, ast.Name) and not _is_value(node.func.id, is_bound):
        return not _SPACED_CALL.search(text)
    return True


def _is_filled(text: str, is_bound: Callable[[str], bool]) -> bool:
    """Whether `text` is a template without its quotes, with the value that would fill it."""
    filling = _FILLING.search(text[-MAX_EXPRESSION_CHARS:])
    if filling is None or not _SLOT.search(text[: -len(filling.group())]):
        return False
    return filling.group(2) is not None or is_bound(filling.group(1))


def _formats(operation: ast.BinOp) -> bool:
    """Whether text is joined, repeated or filled by an operator: `"%d rows" % n`."""
    return any(
        isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (operation.left, operation.right)
    )


def _is_value(name: str, is_bound: Callable[[str], bool]) -> bool:
    return is_bound(name) or callable(getattr(builtins, name, None))
