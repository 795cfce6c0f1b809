"""Health: whether a block left the interpreter in a state that later blocks can be trusted to.

In: the interpreter before any model code ran. Out, after each block: the change that must not stay, or `None`. The
names that this project needs to go on are compared by identity, in one pass of C functions below a millisecond.
Modules that model code made, patched or imported itself are its own, and not looked at.

It notices; it does not prevent. Code that aims at this very check can deceive it, and then spoils its own run.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter, call, is_, itemgetter
from typing import Any, Protocol

OWN = (
    "rlm_core",
    "bound_context",
    "bridge",
    "boot",
    "health",
    "host_line",
    "host_requests",
    "outbox",
    "packages",
    "readers",
    "waits",
)
"""Modules of this project, with those in them: each name, class and function."""
WHOLE = (
    "ast",
    "codecs",
    "contextlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "io",
    "linecache",
    "traceback",
    "zipimport",
    "_pyodide._base",
)
"""Modules of the library that a block is run and reported with: their functions and classes. Of others, only the
functions that ours call by name."""
ESSENTIAL = (
    "sys",
    "builtins",
    "os",
    "io",
    "abc",
    "codecs",
    "encodings",
    "_io",
    "_imp",
    "_thread",
    "_warnings",
    "posix",
)
"""Modules without which nothing can be imported; others may leave `sys.modules`."""
CORE_TYPES = (object, type, str, bytes, int, float, bool, list, tuple, dict, set, BaseException, Exception)
PATCHED_BY_MANY = {
    "asyncio": None,  # nest_asyncio and its like
    "time": ("sleep",),  # ours during a run
    "warnings": ("warn", "showwarning", "formatwarning"),  # put back after each block
}
"""Functions that ordinary code replaces, by module; `None` for all of it."""
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_ATTRIBUTES = (*_FUNCTIONS, classmethod, staticmethod, property, types.MemberDescriptorType)
_REPLACED_BY_TYPING = "_no_init_or_replace_init"
_FACTS = attrgetter("__code__", "__defaults__", "__kwdefaults__")
_CONTENTS = attrgetter("cell_contents")
_ATTRIBUTE_SET = "object.__setattr__"
"""Audit event of a function whose code or defaults are set, and of a class that is given another name or module."""
Space = Mapping[str, Any]


class Health:
    """The state that must not change; nothing is looked at before `begin`."""

    def __init__(self) -> None:
        self._has_begun = False
        self._events: dict[str, object] = {}
        self._names_are_same: Callable[[], bool] = bool

    def begin(self) -> None:
        """Take the present state, before any model code: it must not change from here on."""
        if not self._names_are_same():
            self.learn()
        self._modules = sys.modules
        self._path = tuple(sys.path)
        self._files = {path: _stat(path) for path in self._path if _stat(path) is not None}
        self._watch_events()

    def learn(self) -> None:
        """Learn the names, ahead of time: it takes a tenth of a second, which a snapshot saves."""
        self._spaces = list(_spaces())
        self._values = {(where, name): space[name] for where, space, names in self._spaces for name in names}
        values = chain.from_iterable(map(space.get, names) for _, space, names in self._spaces)
        self._functions = {function: _FACTS(function) for function in _functions(values)}
        self._cells = [cell for function in self._functions for cell in _filled(function)]
        self._names_are_same = self._comparison()

    def fault(self) -> str | None:
        """The change that must not stay, as a clause that follows "the block"; `None` where there is none."""
        if not self._has_begun:
            return None
        events = self._events.copy()
        self._events.clear()
        if "sys.addaudithook" in events:
            return "added an audit hook, which nothing can remove"
        if sys.modules is not self._modules:
            return "replaced sys.modules"
        if not self._names_are_same():
            return self._difference()
        if _ATTRIBUTE_SET in events and (changed := self._changed_function()):
            return changed
        missing = [path for path in self._path if path not in sys.path]
        if missing:
            return f"took {missing[0]} out of sys.path"
        changed_files = [path for path, stat in self._files.items() if _stat(path) != stat]
        return f"deleted or changed {changed_files[0]}, which modules are imported from" if changed_files else None

    def _watch_events(self) -> None:
        """Note the interpreter's audit events, the first of each name since the last block.

        They tell of each new audit hook, and of each function whose code or defaults are set. No hook can be removed:
        this one stays as long as the interpreter, and it is a method of a dictionary, as one in Python would be slow.
        """
        if not self._has_begun:
            sys.addaudithook(self._events.setdefault)
        self._events.clear()
        self._has_begun = True

    def _comparison(self) -> Callable[[], bool]:
        """One pass over all names and cells by C functions, bound here, so that none of them is looked up later."""
        getters = [itemgetter(*names, names[0]) for _, _, names in self._spaces]  # of one name it would be no tuple
        spaces = [space for _, space, _ in self._spaces]
        values = tuple(chain.from_iterable(map(call, getters, spaces)))
        cells, contents = self._cells, tuple(map(_CONTENTS, self._cells))
        flat, every, each, same, apply, content = chain.from_iterable, all, map, is_, call, _CONTENTS

        def names_are_same() -> bool:
            try:
                return every(each(same, flat(each(apply, getters, spaces)), values)) and every(
                    each(same, each(content, cells), contents)
                )
            except (KeyError, ValueError):  # a name is gone; a cell is empty
                return False

        return names_are_same

    def _difference(self) -> str:
        """Where the change is."""
        for where, space, names in self._spaces:
            for name in names:
                if name not in space:
                    return f"deleted {where}{name}"
                if space[name] is not self._values[where, name]:
                    return f"replaced {where}{name}"
        return "changed a variable that a function of the REPL holds"

    def _changed_function(self) -> str | None:
        for function, before in self._functions.items():
            if not all(map(is_, _FACTS(function), before)):
                return f"changed the function {function.__module__}.{function.__qualname__}"
        return None


def _stat(path: str) -> tuple[int, ...] | None:
    """Kind, and of a file the size and time; `None` where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    is_folder = found.st_mode & 0o170000 == 0o040000
    return (0,) if is_folder else (1, found.st_size, found.st_mtime_ns)


def _spaces() -> Iterator[tuple[str, Space, tuple[str, ...]]]:
    """Name to put before those in it, the namespace, and the names that must keep their values."""
    essential = tuple(name for name in sys.modules if name in ESSENTIAL or _is_own(name))
    yield "sys.modules: ", sys.modules, essential
    for kind in CORE_TYPES:
        yield f"{kind.__name__}.", vars(kind), tuple(vars(kind))
    own = [module for name, module in sys.modules.items() if _is_own(name)]
    whole = [sys.modules[name] for name in WHOLE if name in sys.modules]
    for module in own:
        yield from _named(module, [name for name in vars(module) if not name.startswith("__")])
    for module in whole:
        yield from _named(
            module, [name for name, value in vars(module).items() if isinstance(value, (*_FUNCTIONS, type))]
        )
    for name, called in _called(own).items():
        yield from _named(sys.modules[name], called)
    classes = {value: None for module in (*own, *whole) for value in vars(module).values() if isinstance(value, type)}
    for each in classes:
        if each.__module__ in WHOLE or _is_own(each.__module__):
            kept = [name for name, value in vars(each).items() if _stays(name, value)]
            if kept:
                yield f"{each.__module__}.{each.__qualname__}.", vars(each), tuple(kept)


def _named(module: types.ModuleType, names: list[str]) -> Iterator[tuple[str, Space, tuple[str, ...]]]:
    if names:
        yield f"{module.__name__}.", vars(module), tuple(names)


def _is_own(name: str) -> bool:
    return name.partition(".")[0] in OWN


def _stays(name: str, value: object) -> bool:
    """Whether a class keeps this attribute: Python makes annotations, and `typing` some `__init__`, when first used."""
    return (
        isinstance(value, _ATTRIBUTES)
        and not name.startswith("__annot")
        and getattr(value, "__name__", "") != _REPLACED_BY_TYPING
    )


def _called(own: Iterable[types.ModuleType]) -> Mapping[str, list[str]]:
    """The functions of the library that ours name, by module."""
    called: dict[str, set[str]] = {}
    for module in own:
        functions = _functions(value for value in vars(module).values() if _module_of(value) == module.__name__)
        used = {name for function in functions for name in _words(function.__code__)}
        for value in vars(module).values():
            if not isinstance(value, types.ModuleType) or _is_own(value.__name__) or value.__name__ in WHOLE:
                continue
            exempt = PATCHED_BY_MANY.get(value.__name__, ())
            if sys.modules.get(value.__name__) is value and exempt is not None:
                names = {
                    name for name in used & vars(value).keys() if isinstance(vars(value)[name], (*_FUNCTIONS, type))
                }
                called.setdefault(value.__name__, set()).update(names - set(exempt))
    return {module: sorted(names) for module, names in called.items()}


def _module_of(value: object) -> str | None:
    return value.__module__ if isinstance(value, types.FunctionType | type) else None


def _words(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _words(constant)


def _functions(values: Iterable[object]) -> Iterator[types.FunctionType]:
    """The Python functions among `values`, in their classes and in the variables that they hold; each once."""
    seen: set[int] = set()
    left = list(values)
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, types.FunctionType):
            yield value
            left.extend(map(_CONTENTS, _filled(value)))
        elif isinstance(value, classmethod | staticmethod):
            left.append(value.__func__)
        elif isinstance(value, property):
            left.extend((value.fget, value.fset))
        elif isinstance(value, type) and (_is_own(value.__module__) or value.__module__ in WHOLE):
            left.extend(attribute for name, attribute in vars(value).items() if _stays(name, attribute))


def _filled(function: types.FunctionType) -> Iterator[Any]:
    """The cells of `function` that hold a value."""
    for cell in function.__closure__ or ():
        try:
            cell.cell_contents  # noqa: B018 - raises where it is empty
        except ValueError:
            continue
        yield cell


HEALTH = Health()
"""Begun by worker.js, once nothing but model code is left to come."""


class Unhealthy(BaseException):
    """The host was asked for a fresh worker: nothing that this one does counts any more."""


def check_health(line: FaultLine) -> None:
    """Have the host replace this worker when the block has changed it for good.

    Raises:
        Unhealthy: it has.
    """
    fault = HEALTH.fault()
    if fault is not None:
        line.fail(fault)
        raise Unhealthy(fault)


class FaultLine(Protocol):
    """The way out for the fault that ends the worker."""

    def fail(self, fault: str) -> None: ...
