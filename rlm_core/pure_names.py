"""Pure names: the names that statements bind, with as much of their values as is known without executing them.

In: the namespace as it is, and bindings in order. Out: values of exact builtin types all through, or `UNKNOWN`. The
namespace is only read; lists and dictionaries that stand in it are never changed. Work and sizes are bounded.
"""

from __future__ import annotations

import ast
import builtins
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from . import pure_values as pure
from .pure_values import Unsure

MAX_STEPS = 100_000
"""Expressions that are evaluated for one reply."""
MAX_MADE = 1 << 26
"""Weight of the values that are made for one reply; see `pure_values.size`."""
MAX_SECONDS = 0.4
"""Time that the statements of one reply may take in all."""
_CHECKED_STEPS = 128
"""Steps between two looks at the clock."""
FINISHING = frozenset({"FINAL", "FINAL_VAR"})
"""Functions that end a block."""
_HARMLESS_OF_OURS = frozenset(
    {
        "SHOW_VARS",
        "cite",
        "display",
        "plot",
        "rlm_query",
        "rlm_batch",
        "rlm_query_batched",
        "read",
        "tables",
        "page_image",
    }
)


class Unknown:
    """A value that is not known. Methods of one that is harmless change no value of the namespace.

    Attributes:
        module: name of the module that it is; `""` for none.
        function: the pure function that it is.
    """

    def __init__(
        self, *, is_harmless: bool = False, module: str = "", function: Callable[..., Any] | None = None
    ) -> None:
        self.is_harmless = is_harmless
        self.module = module
        self.function = function


UNKNOWN: Final = Unknown()
HARMLESS: Final = Unknown(is_harmless=True)


class Ended(Exception):
    """No statement after this one is known to run."""


class Spent(Ended):
    """The bounds of work are used up."""


class Raised(Ended):
    """The statement raises an exception."""


class PureNames:
    """Names and their values.

    Args:
        namespace: where names that no statement bound are looked up.
        ours: the functions that make sub-calls, by name.
    """

    def __init__(self, namespace: Mapping[str, Any], ours: Mapping[str, object]) -> None:
        self._namespace = namespace
        self._ours = ours
        self._bound: dict[str, Any] = {}
        self._scopes: list[dict[str, Any]] = []
        self._own: dict[int, object] = {}  # lists and dictionaries that were made here; held, so that no id is reused
        self._inner: dict[int, object] = {}  # lists and dictionaries that stand in another one
        self._walked: list[object] = []  # those that open loops go through
        self._stale: dict[int, object] = {}  # those of the namespace that a statement changes
        self._looked_through: dict[int, bool] = {}
        self._rebound: set[str] = set()  # names that functions of the statements may bind
        self._is_changed = False  # whether code of the model may have changed any list and dictionary
        self._steps = 0
        self._next_check = _CHECKED_STEPS
        self._made = 0
        self._seconds = MAX_SECONDS
        self._until = 0.0

    def value(self, name: str) -> Any:
        """The value of a name, or an `Unknown`.

        Raises:
            Raised: there is no such name.
        """
        for names in (*reversed(self._scopes), self._bound):
            if name in names:
                return names[name]
        if name in self._namespace:
            return self._known(self._namespace[name])
        if not hasattr(builtins, name):
            raise Raised
        return UNKNOWN

    def _known(self, value: Any) -> Any:
        """A value of the namespace, where it is pure."""
        if type(value) in pure.IMMUTABLE:
            return value
        if type(value) is ModuleType:
            return module_named(value.__name__)
        if type(value) not in pure.CONTAINERS:
            return UNKNOWN
        if id(value) not in self._looked_through:
            self._looked_through[id(value)] = self._look_through(value)
        is_known = self._looked_through[id(value)] and not (self._is_changed and pure.is_mutable(value))
        return value if is_known and id(value) not in self._stale else UNKNOWN

    def _look_through(self, value: object) -> bool:
        """Whether a value of the namespace is pure, and has no part that a statement changed."""
        parts = pure.parts_of(value)
        if parts is None or any(id(part) in self._stale for part in parts):
            return False
        self._hold(part for part in parts if part is not value)
        return True

    def _is_bound(self, name: str) -> bool:
        """Whether the statements bound the name."""
        return any(name in names for names in (*self._scopes, self._bound))

    def _is_builtin(self, name: str) -> bool:
        return not self._is_bound(name) and name not in self._namespace

    def _is_harmless(self, name: str) -> bool:
        """Whether the function of that name changes no value of the namespace."""
        if self._is_bound(name):
            value = self.value(name)
            return isinstance(value, Unknown) and value.is_harmless
        return (
            name in self._ours or name in _HARMLESS_OF_OURS or (name in pure.HARMLESS and name not in self._namespace)
        )

    # --- Changes ------------------------------------------------------------------------------------------------------

    def _change(self, holder: Any, change: Callable[[], object], parts: Sequence[Any]) -> None:
        """Change a list or a dictionary; one of the namespace, or one that gets an unknown part, is unknown then.

        Raises:
            Ended: an open loop goes through it.
        """
        if any(holder is walked for walked in self._walked):
            raise Ended
        is_own = id(holder) in self._own
        if is_own and not any(isinstance(part, Unknown) for part in parts):
            self._make(pure.ITEM_WEIGHT * len(parts))
            self._hold(parts)
            self._tried(change)
        elif id(holder) in self._inner:
            self._changed()
        else:
            self._stale[id(holder)] = holder
            for names in (self._bound, *self._scopes):
                for name in [name for name, value in names.items() if value is holder]:
                    names[name] = HARMLESS

    def _changed(self) -> None:
        """Code that is not known may have changed each list and each dictionary."""
        self._is_changed = True
        self._bound.update(dict.fromkeys(self._rebound, UNKNOWN))
        for names in (self._bound, *self._scopes):
            for name, value in names.items():
                if not isinstance(value, Unknown) and pure.is_mutable(value):
                    names[name] = UNKNOWN

    def _pass_over(self, *nodes: ast.AST) -> None:
        """Take code for any that binds and changes what it names.

        Raises:
            Ended: it may end the block.
        """
        for node in (part for whole in nodes for part in ast.walk(whole)):
            self._step()
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._bound[node.id] = UNKNOWN
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
                self._bound[node.name or ""] = UNKNOWN
            elif isinstance(node, ast.alias):
                self._bound[(node.asname or node.name).split(".")[0]] = UNKNOWN
            elif isinstance(node, ast.Raise | ast.MatchAs | ast.MatchStar | ast.MatchMapping):
                raise Ended
            elif isinstance(node, ast.Call):
                self._pass_over_call(node.func)
            elif isinstance(node, ast.AugAssign) or (
                isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
            ):
                self._changed()

    def _pass_over_call(self, function: ast.expr) -> None:
        if isinstance(function, ast.Name) and function.id in FINISHING:
            raise Ended
        if not (isinstance(function, ast.Name) and self._is_harmless(function.id)):
            self._changed()

    # --- Bounds -------------------------------------------------------------------------------------------------------

    def _tried(self, operation: Callable[[], Any]) -> Any:
        """The value of an operation on pure values.

        Raises:
            Raised: it raises an exception, and so will the code.
        """
        try:
            value = operation()
        except Unsure:
            return UNKNOWN
        except (MemoryError, RecursionError):
            raise Spent from None
        except Exception:  # noqa: BLE001 - an operation of Python on builtin values may raise any of its exceptions
            raise Raised from None
        self._make(pure.size(value))
        return value

    def _step(self, steps: int = 1) -> None:
        """Count work.

        Raises:
            Spent: it is more than the bounds allow.
        """
        self._steps += steps
        if self._steps < self._next_check:
            return
        self._next_check = self._steps + _CHECKED_STEPS
        if self._steps > MAX_STEPS or time.perf_counter() > self._until:
            raise Spent

    def _make(self, weight: int) -> None:
        self._made += weight
        if self._made > MAX_MADE:
            raise Spent

    def _fresh(self, value: Any) -> Any:
        """`value`, which nobody else has."""
        if type(value) in (list, dict):
            self._own[id(value)] = value
        return value

    def _hold(self, parts: Iterable[Any]) -> None:
        """Know lists and dictionaries for parts of another one."""
        for part in parts:
            if type(part) in (list, dict):
                self._inner[id(part)] = part
            elif type(part) is tuple:
                self._hold(part)

    def _held(self, parts: list[Any]) -> list[Any]:
        self._hold(parts)
        return parts


def module_named(name: object) -> Unknown:
    """The module of that name."""
    known = name if type(name) is str else ""
    return Unknown(is_harmless=known in pure.HARMLESS_MODULES, module=known)
