"""Block source: the block in which a class of model code was defined, for `inspect`.

In: a class of a REPL's `__main__`, which has no file. Out: the file name of its block, under which `linecache` holds
the source. Functions need none of this: their code knows its file.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

_FILES: WeakKeyDictionary[types.ModuleType, list[str]] = WeakKeyDictionary()
"""Module of a REPL -> file names of its blocks, oldest first."""


def register(module: types.ModuleType, filename: str, code: str) -> None:
    """Have `inspect` and tracebacks find the source of a block of `module` under `filename`."""
    linecache.cache[filename] = (len(code), None, f"{code}\n".splitlines(keepends=True), filename)
    _FILES.setdefault(module, []).append(filename)


@contextmanager
def classes_found() -> Iterator[None]:
    """Have `inspect` find the classes that blocks define."""
    getfile: Callable[..., str] = inspect.getfile

    def getfile_of_blocks(object: object) -> str:
        found = block_of(object) if isinstance(object, type) else None
        return getfile(object) if found is None else found

    inspect.getfile = getfile_of_blocks
    try:
        yield
    finally:
        inspect.getfile = getfile


def block_of(cls: type) -> str | None:
    """The file name of the block that defines `cls`; the latest one where that is open."""
    main = sys.modules["__main__"]
    files = _FILES.get(main)
    if files is None or cls.__module__ != main.__name__:
        return None
    methods = (value.__code__ for value in vars(cls).values() if isinstance(value, types.FunctionType))
    known = [code.co_filename for code in methods if code.co_qualname.startswith(f"{cls.__qualname__}.")]
    return next((filename for filename in [*known, *reversed(files)] if _defines(filename, files, cls)), None)


def _defines(filename: str, files: Sequence[str], cls: type) -> bool:
    if filename not in files:
        return False
    tree = ast.parse("".join(linecache.getlines(filename)))
    line = vars(cls).get("__firstlineno__")  # since Python 3.13
    return any(name == cls.__qualname__ and line in (None, at) for name, at in _classes(tree, ""))


def _classes(node: ast.AST, above: str) -> Iterator[tuple[str, int]]:
    """Qualified name and first line, decorators included, of each class below `node`."""
    for child in ast.iter_child_nodes(node):
        below = above
        if isinstance(child, ast.ClassDef):
            yield above + child.name, min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            below = f"{above}{child.name}."
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            below = f"{above}{child.name}.<locals>."
        yield from _classes(child, below)
