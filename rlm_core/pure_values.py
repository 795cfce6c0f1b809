"""Pure values: the values and operations of code that may be computed before the code runs.

In: values of the namespace, and names of functions and methods. Out: whether a value is of exact builtin types all
through, and the operations on such values that call no code of the model, change nothing, and are bounded in size.
"""

from __future__ import annotations

import math
import operator
import re
import string
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})
IMMUTABLE: frozenset[type] = SCALARS | {range}
CONTAINERS: frozenset[type] = frozenset({list, dict, tuple})
MAX_CHARS = 1 << 24
"""Characters of the longest text that is made."""
ITEM_WEIGHT = 8
"""Characters that weigh as much as an item of a list."""
MAX_ITEMS = 100_000
"""Items of the largest container of the namespace that is looked through."""
MAX_DEPTH = 5
MAX_BITS = 4_096
_LONG_WIDTH = re.compile(r"\d{4,}|\{")
"""A width that would make a long text, or one that is computed."""


class Unsure(Exception):
    """Nothing is known of a value: it is not pure, or would be too large."""


def parts_of(value: object) -> list[object] | None:
    """The lists and dictionaries in `value`, itself included, where it is of exact builtin types all through: then no
    operation on it calls code of the model. `None` where it is not.

    >>> parts_of({"a": [1, "b"]})
    [{'a': [1, 'b']}, [1, 'b']]
    >>> parts_of([object()])
    """
    parts: list[object] = []
    level: list[Any] = [value]
    seen = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in (one for one in level if type(one) not in IMMUTABLE):
            if type(one) not in CONTAINERS:
                return None
            parts += [one] if type(one) is not tuple else []
            seen += len(one)
            if seen > MAX_ITEMS or (type(one) is dict and not all(type(key) in SCALARS for key in one)):
                return None
            below += one.values() if type(one) is dict else one
        level = below
    return parts if not level else None


def is_mutable(value: object) -> bool:
    """Whether code that has `value` may change it, or a part of it."""
    kind = type(value)
    if kind is tuple:
        return any(is_mutable(item) for item in value)  # type: ignore[attr-defined]
    return kind not in IMMUTABLE


def is_endless(value: object) -> bool:
    """Whether a look at each item of `value` would take too long, as a range may have any length."""
    return type(value) is range and len(value) > MAX_ITEMS


def size(value: object) -> int:
    """Weight of a copy of `value`, about: that of a character is 1."""
    if type(value) in CONTAINERS:
        return ITEM_WEIGHT * len(value)  # type: ignore[arg-type]
    return len(value) if type(value) is str else 1


def work(value: object) -> int:
    """Time of a look at all of `value`, about: that of an expression is 1."""
    if type(value) is str:
        return len(value) >> 14
    return len(value) >> 3 if type(value) in (*CONTAINERS, range) else 0  # type: ignore[arg-type]


def _sized(count: int) -> None:
    if count > MAX_CHARS:
        raise Unsure


# ---------------------------------------------------------------------------------------------------------- operators


def _add(one: Any, other: Any) -> Any:
    _sized(size(one) + size(other))
    return one + other


def _multiplied(one: Any, other: Any) -> Any:
    for value, times in ((one, other), (other, one)):
        if type(value) in (str, list, tuple) and type(times) in (int, bool):
            _sized(size(value) * max(int(times), 0))
    _short(one, other)
    return one * other


def _short(*numbers: object) -> None:
    if any(type(number) is int and number.bit_length() > MAX_BITS for number in numbers):
        raise Unsure


def _power(one: Any, other: Any) -> Any:
    if type(one) is int and type(other) is int and not (0 <= other <= 64 and one.bit_length() <= 64):
        raise Unsure
    return one**other


def _numbers(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Of numbers alone: `%` of a text fills it in."""

    def of(one: Any, other: Any) -> Any:
        if type(one) not in (int, float, bool):
            raise Unsure
        _short(one, other)
        return operation(one, other)

    return of


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": _add,
    "Sub": operator.sub,
    "Mult": _multiplied,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": _numbers(operator.mod),
    "Pow": _power,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "In": lambda item, holder: item in holder,
    "NotIn": lambda item, holder: item not in holder,
}
UNARY: Mapping[str, Callable[[Any], Any]] = {"USub": operator.neg, "UAdd": operator.pos, "Not": operator.not_}
CONVERSIONS: Mapping[int, Callable[[object], object]] = {-1: lambda value: value, 115: str, 114: repr, 97: ascii}


def formatted(value: object, spec: str) -> str:
    """`format(value, spec)`, of a bounded width."""
    if _LONG_WIDTH.search(spec):
        raise Unsure
    return format(value, spec)


# ------------------------------------------------------------------------------------------------ functions and methods


def _listed(items: Any = ()) -> list[Any]:
    _sized(ITEM_WEIGHT * len(items) if type(items) in (range, str) else size(items))
    return list(items)


def _sum(items: Any, start: Any = 0) -> Any:
    if not all(type(one) in (int, float, bool) for one in [*items, start]):
        raise Unsure
    return sum(items, start)


def _text(value: object = "") -> str:
    return str(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "str": _text,
    "repr": repr,
    "int": int,
    "float": float,
    "bool": bool,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
    "sum": _sum,
    "any": any,
    "all": all,
    "ord": ord,
    "chr": chr,
    "divmod": divmod,
    "range": range,
    "list": _listed,
    "tuple": lambda items=(): tuple(_listed(items)),
    "sorted": lambda items, *, reverse=False: sorted(_listed(items), reverse=reverse),
}
"""Builtin functions whose value depends on that of their arguments alone; `sorted`, `min` and `max` without a key."""
FRESH = frozenset({"list", "sorted", "split", "rsplit", "splitlines", "copy", "dedent"})
"""Functions and methods whose list or dictionary nobody else has."""


def _replaced(text: str, old: str, new: str, count: int = -1) -> str:
    _sized(len(text) + (len(text) // max(len(old), 1) + 1) * len(new))
    return text.replace(old, new, count)


def _joined(between: str, items: Any) -> str:
    parts = list(items)
    if not all(type(part) is str for part in parts):
        raise TypeError
    _sized(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _copied(method: Callable[..., Any]) -> Callable[..., Any]:
    def of(text: str, *args: object, **kwargs: object) -> Any:
        _sized(len(text))
        return method(text, *args, **kwargs)

    return of


def _padded(method: Callable[..., str]) -> Callable[..., str]:
    def of(text: str, width: int, *fill: str) -> str:
        _sized(width)
        return method(text, width, *fill)

    return of


def _filled_in(template: str, *args: object, **kwargs: object) -> str:
    """`template.format(...)` of plain fields."""
    for literal, name, spec, _ in string.Formatter().parse(template):
        _sized(len(literal))
        if name is not None and (re.search(r"[.\[]", name) or _LONG_WIDTH.search(spec or "")):
            raise Unsure
    _sized(len(template) + template.count("{") * sum(map(size, [*args, *kwargs.values()])))
    return template.format(*args, **kwargs)


METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: {
        **{
            name: getattr(str, name)
            for name in (
                *("startswith", "endswith", "find", "rfind", "index", "rindex", "count", "isdigit", "isalpha"),
                *("isalnum", "isspace", "isupper", "islower", "isnumeric", "isdecimal"),
            )
        },
        **{
            name: _copied(getattr(str, name))
            for name in (
                *("lower", "upper", "title", "capitalize", "casefold", "swapcase", "strip", "lstrip", "rstrip"),
                *("split", "rsplit", "splitlines", "partition", "rpartition", "removeprefix", "removesuffix"),
            )
        },
        **{name: _padded(getattr(str, name)) for name in ("ljust", "rjust", "center", "zfill")},
        "replace": _replaced,
        "join": _joined,
        "format": _filled_in,
    },
    list: {"index": list.index, "count": list.count, "copy": list.copy},
    tuple: {"index": tuple.index, "count": tuple.count},
    dict: {"get": dict.get, "copy": dict.copy},
    range: {"index": range.index, "count": range.count},
}
"""Methods without an effect, by the type of their object."""
MODULES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "math": {name: getattr(math, name) for name in ("ceil", "floor", "sqrt", "log", "log2", "log10")},
    "textwrap": {"dedent": textwrap.dedent},
}
"""Functions of modules that are pure."""
HARMLESS_MODULES = frozenset(
    {*MODULES, "re", "json", "string", "statistics", "datetime", "time", "collections", "itertools", "functools", "csv"}
)
"""Modules whose functions change no value of the namespace."""
HARMLESS = frozenset(
    {
        *FUNCTIONS,
        "print",
        "type",
        "isinstance",
        "set",
        "dict",
        "frozenset",
        "enumerate",
        "zip",
        "reversed",
        "bytes",
        "id",
    }
)
"""Builtin functions that change no value of the namespace."""
