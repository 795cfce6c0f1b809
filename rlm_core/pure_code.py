"""Pure code: statements of a code block followed without executing them.

In: statements, in order, and the namespace as it is. Out: the sub-calls that they will make, as far as their arguments
are known. Code of the model is never called, and nothing of the namespace is changed: a value that would need it is
unknown, and so is all that depends on it.

A wrong guess costs a call that nobody asks for, no more: the host takes the reply of a call for an equal request alone.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterable, Sequence
from typing import Any

from . import pure_values as pure
from .pure_expressions import PureExpressions
from .pure_names import UNKNOWN, Ended, Raised, Spent, Unknown, module_named
from .pure_values import Unsure


class _LoopEnded(Exception):
    """`break`."""


class _NextItem(Exception):
    """`continue`."""


class PureCode(PureExpressions):
    """The statements of one reply."""

    _loops = 0

    def run(self, statements: Iterable[ast.stmt]) -> None:
        """Follow the statements.

        Raises:
            Ended: those after them are not known to run, or the bounds of work are used up.
        """
        began = time.perf_counter()
        self._until = began + self._seconds
        try:
            self._follow(statements)
        except (RecursionError, MemoryError):
            raise Spent from None
        except (_LoopEnded, _NextItem):
            raise Raised from None
        finally:
            self._seconds -= time.perf_counter() - began

    def _follow(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._step()
            follow = getattr(self, f"_do_{type(statement).__name__.lower()}", self._pass_over)
            follow(statement)

    # --- Statements ---------------------------------------------------------------------------------------------------

    def _do_break(self, _: ast.Break) -> None:
        raise _LoopEnded

    def _do_continue(self, _: ast.Continue) -> None:
        raise _NextItem

    def _do_raise(self, _: ast.Raise) -> None:
        raise Raised

    def _do_expr(self, node: ast.Expr) -> None:
        self._evaluated(node.value)

    def _do_assign(self, node: ast.Assign) -> None:
        value = self._evaluated(node.value)
        for target in node.targets:
            self._bind(target, value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind(node.target, self._evaluated(node.value))

    def _do_augassign(self, node: ast.AugAssign) -> None:
        value = self._evaluated(node.target) if isinstance(node.target, ast.Name) else UNKNOWN
        added = self._evaluated(node.value)
        if not isinstance(node.target, ast.Name):
            self._changed()
        elif type(value) is list and isinstance(node.op, ast.Add):
            self._extend(value, added)
        elif type(value) in (list, dict):
            self._changed()
        else:
            self._bind(node.target, self._computed(node.op, value, added))

    def _do_import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bound[alias.asname or alias.name.split(".")[0]] = module_named(alias.name)

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        functions = pure.MODULES.get(node.module or "", {})
        is_harmless = node.module in pure.HARMLESS_MODULES
        for alias in node.names:
            if alias.name == "*":
                raise Ended
            value = Unknown(is_harmless=is_harmless, function=functions.get(alias.name))
            self._bound[alias.asname or alias.name] = value

    def _do_functiondef(self, node: ast.FunctionDef) -> None:
        self._pass_over(*node.decorator_list, node.args)
        if node.decorator_list:
            self._changed()
        self._rebound.update(name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names)
        self._bound[node.name] = UNKNOWN

    def _do_if(self, node: ast.If) -> None:
        test = self._evaluated(node.test)
        if not isinstance(test, Unknown):
            self._follow(node.body if test else node.orelse)
        else:
            self._check_leaving(node)
            self._pass_over(*node.body, *node.orelse)

    def _do_assert(self, node: ast.Assert) -> None:
        test = self._evaluated(node.test)
        if not isinstance(test, Unknown) and not test:
            raise Raised

    def _do_try(self, node: ast.Try) -> None:
        """The body is followed for its calls; which of its statements took effect is not known."""
        self._check_leaving(node)
        try:
            self._follow(node.body)
        except Spent:
            raise
        except Raised:
            pass
        self._pass_over(*node.body, *node.handlers, *node.orelse)
        self._follow(node.finalbody)

    def _do_for(self, node: ast.For) -> None:
        walked = len(self._walked)
        self._loops += 1
        try:
            items = self._items(node.iter)
            if items is None or node.orelse:
                raise Unsure
            self._iterate(node, items)
        except Unsure:
            self._pass_over(node.target, *node.body, *node.orelse)
        finally:
            self._loops -= 1
            del self._walked[walked:]

    def _iterate(self, node: ast.For, items: Sequence[Any]) -> None:
        for item in items:
            self._bind(node.target, self._unless_changed(item))
            try:
                self._follow(node.body)
            except _NextItem:
                continue
            except _LoopEnded:
                return

    def _check_leaving(self, node: ast.If | ast.Try) -> None:
        """Raise `Unsure` where an open loop may end, or skip the rest of its body, in `node`."""
        if self._loops and any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node)):
            raise Unsure
