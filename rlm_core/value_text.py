"""Value text: a value of the REPL as text, bounded.

In: any value, whose own `__repr__` is model code: callers guard it. Out: its `repr`, cut; a line or the facts of a
variable.
"""

from __future__ import annotations

from itertools import islice
from reprlib import Repr
from typing import Any, TypedDict

from .output import cut

MAX_NAME_CHARS = 200
MAX_PREVIEW_CHARS = 120
_PREVIEW = Repr()
_PREVIEW.maxlevel = 3
_PREVIEW.maxstring, _PREVIEW.maxother = 80, MAX_PREVIEW_CHARS


class Variable(TypedDict):
    """A variable of the REPL: `size` counts its items, characters, or rows and columns, `""` where it has none."""

    name: str
    type: str
    size: str
    preview: str


class Listing(str):
    """Text that shows itself as it is when it is the last expression of a block."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str.__str__(self)


def variable_line(name: str, value: object) -> str:
    size = f" of {len(value):,}" if isinstance(value, str | bytes | list | tuple | dict | set | frozenset) else ""
    return f"{name}: {type(value).__name__}{size}"


def variable_of(name: str, value: object) -> Variable:
    """The facts of a variable; its preview is as much of its `repr` as is one line.

    >>> variable_of("rows", [1, 2, 3])
    {'name': 'rows', 'type': 'list', 'size': '3 items', 'preview': '[1, 2, 3]'}
    """
    preview = " ".join(plain(_PREVIEW.repr(value)).split())
    if len(preview) > MAX_PREVIEW_CHARS:
        preview = f"{preview[: MAX_PREVIEW_CHARS - 1]}…"
    return {
        "name": name[:MAX_NAME_CHARS],
        "type": type(value).__name__[:MAX_NAME_CHARS],
        "size": _size(value),
        "preview": preview,
    }


def _size(value: object) -> str:
    """The size of a value in words, `""` where it has none.

    >>> _size("abc"), _size({"a": 1}), _size(1)
    ('3 characters', '1 item', '')
    """
    if isinstance(value, str | bytes | bytearray):
        return _counted(len(value), "character" if isinstance(value, str) else "byte")
    if isinstance(value, list | tuple | dict | set | frozenset):
        return _counted(len(value), "item")
    shape = getattr(value, "shape", None) if not isinstance(value, type) else None
    if type(shape) is tuple and shape and all(type(side) is int for side in shape):
        return " by ".join(f"{side:,}" for side in shape)
    return ""


def _counted(many: int, noun: str) -> str:
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


def plain(value: object) -> str:
    """`str(value)` as an exact `str`, whatever subclass `__str__` gives."""
    return str.__str__(str(value))


def shown(value: object, max_chars: int) -> str:
    """`repr(value)`, at most `max_chars` of it, without making the whole of it for long plain values.

    >>> shown("a" * 10, 4)
    "'aa\\n[... 6 of 10 characters not shown ...]\\naa'"
    """
    if type(value) in (str, bytes) and len(value) > max_chars:  # type: ignore[arg-type]
        return _shown_text(value, max_chars)  # type: ignore[arg-type]
    if type(value) in (list, tuple, set, frozenset, dict) and len(value) > max_chars:  # type: ignore[arg-type]
        return _shown_items(value, max_chars)
    return cut(str.__str__(repr(value)), max_chars)


def _shown_text(value: str | bytes, max_chars: int) -> str:
    """Head and tail as in `cut`, each in the form of a literal."""
    head, tail = repr(value[: max_chars - max_chars // 2]), repr(value[len(value) - max_chars // 2 :])
    gone = f"\n[... {len(value) - max_chars:,} of {len(value):,} characters not shown ...]\n"
    return head[:-1] + gone + tail[2 if isinstance(value, bytes) else 1 :]


def _shown_items(value: Any, max_chars: int) -> str:
    few = islice(value.items() if isinstance(value, dict) else value, max_chars // 4)
    kind = type(value).__name__
    return f"{kind} of {len(value):,} items, beginning {cut(repr(list(few)), max_chars)}"
