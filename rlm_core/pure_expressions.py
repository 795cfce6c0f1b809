"""Pure expressions: the value that an expression will have, computed without code of the model.

In: expressions, in the order in which they will be evaluated. Out: values, or `Unknown`; and each sub-call whose
arguments are known. See `pure_names.py` for names and `pure_values.py` for the operations.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import pure_values as pure
from .pure_names import FINISHING, HARMLESS, UNKNOWN, Ended, PureNames, Unknown
from .pure_values import Unsure

Send = Callable[[str, Sequence[Any], Mapping[str, Any]], None]
"""Takes a sub-call: the name of its function, and its arguments."""


class _Iterated:
    """The items of an iterator that is an argument."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items


_ITERATORS: Mapping[str, Callable[..., Iterable[Any]]] = {"enumerate": enumerate, "zip": zip, "reversed": reversed}
_VIEWS = ("items", "keys", "values")
_GO_THROUGH = frozenset({"list", "tuple", "sorted", "sum", "min", "max", "any", "all", "join"})
"""Functions that take an iterator, and go through it."""


class PureExpressions(PureNames):
    """Expressions over names.

    Args:
        namespace: see `PureNames`.
        ours: the functions that make sub-calls, by name: a name that is bound to another value is none of them.
        send: takes each sub-call whose arguments are known.
    """

    def __init__(self, namespace: Mapping[str, Any], ours: Mapping[str, object], send: Send) -> None:
        super().__init__(namespace, ours)
        self._send = send

    def _evaluated(self, node: ast.expr) -> Any:
        """The value of an expression, or an `Unknown`."""
        self._step()
        evaluate = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        if evaluate is not None:
            return evaluate(node)
        self._pass_over(node)
        return UNKNOWN

    def _bind(self, target: ast.expr, value: Any, names: dict[str, Any] | None = None) -> None:
        """Bind the names of a target, in the innermost comprehension where `names` is its scope."""
        if isinstance(target, ast.Name):
            (self._bound if names is None else names)[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = list(value) if type(value) in (tuple, list) else []
            is_known = len(parts) == len(target.elts) and not any(isinstance(one, ast.Starred) for one in target.elts)
            for at, one in enumerate(target.elts):
                self._bind(one, parts[at] if is_known else UNKNOWN, names)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, UNKNOWN, names)
        elif isinstance(target, ast.Subscript):
            self._bind_item(self._evaluated(target.value), self._evaluated(target.slice), value)
        else:
            self._changed()

    def _bind_item(self, holder: Any, key: Any, value: Any) -> None:
        if type(holder) in (list, dict):
            self._change(holder, lambda: holder.__setitem__(key, value), [key, value])
        elif not (isinstance(holder, Unknown) and holder.is_harmless):
            self._changed()

    # --- Values -------------------------------------------------------------------------------------------------------

    def _of_constant(self, node: ast.Constant) -> Any:
        return node.value if type(node.value) in pure.SCALARS else UNKNOWN

    def _of_name(self, node: ast.Name) -> Any:
        return self.value(node.id)

    def _of_joinedstr(self, node: ast.JoinedStr) -> Any:
        parts = [self._evaluated(value) for value in node.values]
        return UNKNOWN if _has_unknown(parts) else self._tried(lambda: pure.METHODS[str]["join"]("", parts))

    def _of_formattedvalue(self, node: ast.FormattedValue) -> Any:
        value = self._evaluated(node.value)
        spec = "" if node.format_spec is None else self._evaluated(node.format_spec)
        if _has_unknown([value, spec]):
            return UNKNOWN
        return self._tried(lambda: pure.formatted(pure.CONVERSIONS[node.conversion](value), spec))

    def _of_binop(self, node: ast.BinOp) -> Any:
        return self._computed(node.op, self._evaluated(node.left), self._evaluated(node.right))

    def _computed(self, operator: ast.operator, one: Any, other: Any) -> Any:
        operation = pure.OPERATORS.get(type(operator).__name__)
        if operation is None or _has_unknown([one, other]):
            return UNKNOWN
        return self._fresh(self._tried(lambda: operation(one, other)))

    def _of_unaryop(self, node: ast.UnaryOp) -> Any:
        operation = pure.UNARY.get(type(node.op).__name__)
        value = self._evaluated(node.operand)
        return UNKNOWN if operation is None or _has_unknown([value]) else self._tried(lambda: operation(value))

    def _of_boolop(self, node: ast.BoolOp) -> Any:
        value: Any = UNKNOWN
        for at, part in enumerate(node.values):
            value = self._evaluated(part)
            if isinstance(value, Unknown):
                self._pass_over(*node.values[at + 1 :])
                return UNKNOWN
            if bool(value) == isinstance(node.op, ast.Or):
                return value
        return value

    def _of_compare(self, node: ast.Compare) -> Any:
        one, value = self._evaluated(node.left), True
        for at, (operator, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            other = self._evaluated(right)
            value = self._compared(operator, one, other)
            if isinstance(value, Unknown):
                self._pass_over(*node.comparators[at + 1 :])
                return UNKNOWN
            if not value:
                return value
            one = other
        return value

    def _compared(self, operator: ast.cmpop, one: Any, other: Any) -> Any:
        if _has_unknown([one, other]) or pure.is_endless(other):
            return UNKNOWN
        if isinstance(operator, ast.Is | ast.IsNot):
            return (one is other) == isinstance(operator, ast.Is) if None in (one, other) else UNKNOWN
        return self._tried(lambda: pure.COMPARISONS[type(operator).__name__](one, other))

    def _of_ifexp(self, node: ast.IfExp) -> Any:
        test = self._evaluated(node.test)
        if isinstance(test, Unknown):
            self._pass_over(node.body, node.orelse)
            return UNKNOWN
        return self._evaluated(node.body if test else node.orelse)

    def _of_subscript(self, node: ast.Subscript) -> Any:
        holder = self._evaluated(node.value)
        if isinstance(node.slice, ast.Slice):
            ends = [
                None if end is None else self._evaluated(end)
                for end in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return UNKNOWN if _has_unknown([holder, *ends]) else self._fresh(self._tried(lambda: holder[slice(*ends)]))
        key = self._evaluated(node.slice)
        return UNKNOWN if _has_unknown([holder, key]) else self._tried(lambda: holder[key])

    def _of_attribute(self, node: ast.Attribute) -> Any:
        value = self._evaluated(node.value)
        return HARMLESS if isinstance(value, Unknown) and value.is_harmless else UNKNOWN

    def _of_list(self, node: ast.List) -> Any:
        parts = self._parts(node.elts)
        return UNKNOWN if parts is None else self._fresh(parts)

    def _of_tuple(self, node: ast.Tuple) -> Any:
        parts = self._parts(node.elts)
        return UNKNOWN if parts is None else tuple(parts)

    def _parts(self, nodes: Sequence[ast.expr]) -> list[Any] | None:
        parts: list[Any] = []
        is_known = True
        for node in nodes:
            items = self._items(node.value) if isinstance(node, ast.Starred) else [self._evaluated(node)]
            is_known = is_known and items is not None and not _has_unknown(items)
            parts += items or ()
        return self._held(parts) if is_known else None

    def _of_dict(self, node: ast.Dict) -> Any:
        keys: list[Any] = []
        values: list[Any] = []
        for key, value in zip(node.keys, node.values, strict=True):
            keys.append(UNKNOWN if key is None else self._evaluated(key))
            values.append(self._evaluated(value))
        if _has_unknown([*keys, *values]) or any(type(key) not in pure.SCALARS for key in keys):
            return UNKNOWN
        return self._fresh(self._tried(lambda: dict(zip(keys, self._held(values), strict=True))))

    # --- Comprehensions and iteration ---------------------------------------------------------------------------------

    def _of_listcomp(self, node: ast.ListComp) -> Any:
        items = self._comprehended(node, lambda: self._evaluated(node.elt))
        return UNKNOWN if items is None else self._fresh(items)

    def _of_dictcomp(self, node: ast.DictComp) -> Any:
        def pair() -> Any:
            key, value = self._evaluated(node.key), self._evaluated(node.value)
            return UNKNOWN if _has_unknown([value]) or type(key) not in pure.SCALARS else (key, value)

        items = self._comprehended(node, pair)
        return UNKNOWN if items is None else self._fresh(dict(items))

    def _comprehended(
        self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp, item: Callable[[], Any]
    ) -> list[Any] | None:
        """The items of a comprehension: each is evaluated, and `None` returned where one is not known."""
        items: list[Any] = []
        walked = len(self._walked)
        self._scopes.append({})
        try:
            self._loop(node.generators, item, items)
        except Unsure:
            self._pass_over(node)
            return None
        finally:
            self._scopes.pop()
            del self._walked[walked:]
        return None if _has_unknown(items) else self._held(items)

    def _loop(self, loops: Sequence[ast.comprehension], item: Callable[[], Any], items: list[Any]) -> None:
        """Evaluate the items of `loops`.

        Raises:
            Unsure: how many there are is not known.
        """
        if not loops:
            self._make(pure.ITEM_WEIGHT)
            items.append(item())
            return
        first, *inner = loops
        values = None if first.is_async else self._items(first.iter)
        if values is None:
            raise Unsure
        for value in values:
            self._bind(first.target, self._unless_changed(value), self._scopes[-1])
            if all(self._is_met(test) for test in first.ifs):
                self._loop(inner, item, items)

    def _is_met(self, test: ast.expr) -> bool:
        value = self._evaluated(test)
        if isinstance(value, Unknown):
            raise Unsure
        return bool(value)

    def _unless_changed(self, item: Any) -> Any:
        """The item of a loop, unless code that ran in the loop may have changed it."""
        return UNKNOWN if self._is_changed and pure.is_mutable(item) else item

    def _items(self, node: ast.expr) -> Sequence[Any] | None:
        """The items that a loop over an expression has, `None` where they are not known."""
        if isinstance(node, ast.GeneratorExp):
            return self._comprehended(node, lambda: self._evaluated(node.elt))
        if isinstance(node, ast.Call) and self._is_iterator(node):
            return self._items_of_iterator(node)
        return self._listed(self._evaluated(node))

    def _is_iterator(self, node: ast.expr) -> bool:
        """Whether a call makes an iterator whose items can be known."""
        if not isinstance(node, ast.Call) or node.keywords or any(isinstance(part, ast.Starred) for part in node.args):
            return False
        function = node.func
        if isinstance(function, ast.Attribute):
            return function.attr in _VIEWS and not node.args
        return isinstance(function, ast.Name) and function.id in _ITERATORS and self._is_builtin(function.id)

    def _items_of_iterator(self, node: ast.Call) -> Sequence[Any] | None:
        function = node.func
        if isinstance(function, ast.Attribute):
            holder = self._evaluated(function.value)
            if type(holder) is not dict:
                return self._listed(self._method(holder, function.attr, [], {}))
            self._walked.append(holder)
            self._make(pure.size(holder))
            return self._held(list(getattr(holder, function.attr)()))
        assert isinstance(function, ast.Name)  # `_is_iterator` lets no other function pass
        name = function.id
        isloop = [at == 0 or name == "zip" for at in range(len(node.args))]
        parts = [
            self._items(part) if walks else self._evaluated(part) for part, walks in zip(node.args, isloop, strict=True)
        ]
        if None in parts or _has_unknown(parts):
            return None
        return self._listed(self._tried(lambda: self._held(list(_ITERATORS[name](*parts)))))

    def _listed(self, value: Any) -> Sequence[Any] | None:
        if type(value) not in (list, tuple, str, dict, range) or len(value) > pure.MAX_ITEMS:
            return None
        if type(value) in (list, dict):
            self._walked.append(value)
        self._make(pure.ITEM_WEIGHT * len(value))
        return list(value)

    # --- Calls --------------------------------------------------------------------------------------------------------

    def _of_call(self, node: ast.Call) -> Any:
        function = node.func
        if isinstance(function, ast.Name):
            return self._called(function.id, *self._arguments(node))
        if isinstance(function, ast.Attribute):
            holder = self._evaluated(function.value)
            return self._method(holder, function.attr, *self._arguments(node))
        self._evaluated(function)
        self._arguments(node)
        self._changed()
        return UNKNOWN

    def _arguments(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        args = [self._argument(part) for part in node.args]
        kwargs = {part.arg or "**": self._argument(part.value) for part in node.keywords}
        return args, {name: UNKNOWN if name == "**" else value for name, value in kwargs.items()}

    def _argument(self, node: ast.expr) -> Any:
        """The value of an argument; an iterator counts with its items."""
        if isinstance(node, ast.Starred):
            self._evaluated(node.value)
            return UNKNOWN
        if not isinstance(node, ast.GeneratorExp) and not self._is_iterator(node):
            return self._evaluated(node)
        items = self._items(node)
        return UNKNOWN if items is None else _Iterated(items)

    def _called(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        is_known = not _has_unknown([*args, *kwargs.values()])
        if self._is_bound(name):
            function = getattr(self.value(name), "function", None)
            if function is not None and is_known:
                return self._applied(name, function, args, kwargs)
        elif name in self._ours:
            if self._namespace.get(name) is self._ours[name] and is_known:
                self._send(name, [*map(_plain, args)], {key: _plain(value) for key, value in kwargs.items()})
            return UNKNOWN
        elif name in FINISHING:
            raise Ended
        elif name in pure.FUNCTIONS and name not in self._namespace and is_known:
            return self._applied(name, pure.FUNCTIONS[name], args, kwargs)
        if not self._is_harmless(name):
            self._changed()
        return UNKNOWN

    def _method(self, holder: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        is_known = not _has_unknown([*args, *kwargs.values()])
        if isinstance(holder, Unknown):
            return self._method_of_unknown(holder, name, args, kwargs)
        if type(holder) is list and name in ("append", "extend") and len(args) == 1 and not kwargs:
            self._append(holder, name, _plain(args[0]))
            return None
        method = pure.METHODS.get(type(holder), {}).get(name)
        if method is None:
            self._changed()
            return UNKNOWN
        return self._applied(name, method, [holder, *args], kwargs) if is_known else UNKNOWN

    def _method_of_unknown(self, holder: Unknown, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        function = pure.MODULES.get(holder.module, {}).get(name)
        if function is not None and not _has_unknown([*args, *kwargs.values()]):
            return self._applied(name, function, args, kwargs)
        if holder.is_harmless or name in pure.METHODS[str]:
            return HARMLESS
        self._changed()
        return UNKNOWN

    def _append(self, holder: list[Any], name: str, value: Any) -> None:
        if name == "append":
            self._change(holder, lambda: holder.append(value), [value])
        else:
            self._extend(holder, value)

    def _extend(self, holder: list[Any], items: Any) -> None:
        is_known = type(items) in (list, tuple, str) and len(items) <= pure.MAX_ITEMS
        self._change(holder, lambda: holder.extend(items), list(items) if is_known else [UNKNOWN])

    def _applied(self, name: str, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The value of a pure function."""
        parts = [*args, *kwargs.values()]
        if any(isinstance(part, _Iterated) for part in parts) and name not in _GO_THROUGH:
            return UNKNOWN
        if name != "len" and any(map(pure.is_endless, parts)):
            return UNKNOWN
        self._step(0 if name == "len" else sum(map(pure.work, parts)))
        value = self._tried(
            lambda: function(*map(_plain, args), **{key: _plain(value) for key, value in kwargs.items()})
        )
        return self._fresh(value) if name in pure.FRESH else value


def _has_unknown(values: Iterable[Any]) -> bool:
    return any(isinstance(value, Unknown) for value in values)


def _plain(value: Any) -> Any:
    return list(value.items) if isinstance(value, _Iterated) else value
