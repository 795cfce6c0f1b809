"""Invented: whether the answer that a reply's code finished with was written down instead of worked out.

In: the code blocks of one reply, as far as they ran. Out: whether each value that the last of them may have finished
with consists of literals of this very reply. Such a value was written before the output of an earlier block was seen.
Where a function of the model finishes, its arguments are followed by value: the answer is one that the code passed on.

>>> is_invented(["print(hits)", "result = 'There are 12'\\nFINAL(result)"])
True
>>> is_invented(["print(hits)", "FINAL(f'There are {len(hits)}')"])
False
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator, Sequence

from .python_source import nests_too_deeply

_PURE = frozenset(
    {"str", "int", "float", "bool", "complex", "len", "sum", "min", "max", "abs", "round", "sorted", "reversed", "list",
     "tuple", "dict", "set", "frozenset", "repr", "format", "divmod", "pow", "ord", "chr", "hex", "bin", "oct", "range",
     "zip", "enumerate", "map", "filter", "any", "all", "print"}
)  # fmt: skip
"""Builtins whose result over literals is as good as a literal."""
_BRANCHES = (ast.If, ast.For, ast.While, ast.Match, ast.IfExp)


def is_invented(blocks: Sequence[str], name: str | None = None, *, answer: str | None = None) -> bool:
    """Whether the answer is made of literals alone.

    Args:
        blocks: code of one reply, up to the block that finished.
        name: the variable that the reply's text finishes with, where it was no block.
        answer: the answer, where a block finished.
    """
    trees = [tree for tree in map(_parsed, blocks) if tree is not None]
    if not trees:
        return False
    literals = _Literals(trees)
    finals = [ast.Name(name)] if name is not None else list(_finals(trees[-1]))
    is_passed = answer is not None and (not finals or any(_finals_in_functions(tree) for tree in trees))
    if is_passed and str(answer).strip() in literals.passed_on(trees[-1]):
        return True
    if not finals or not all(literals.holds(final) for final in finals):
        return False
    return len({ast.dump(final) for final in finals}) == 1 or not any(
        isinstance(node, _BRANCHES) for node in ast.walk(trees[-1])
    )


def _parsed(code: str) -> ast.Module | None:
    if nests_too_deeply(code):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _finals(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that the code may finish with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id == "FINAL":
                yield node.args[0]
            elif node.func.id == "FINAL_VAR":
                yield _variable(node.args[0])
        elif isinstance(node, ast.Call) and _is_answer(node.func, "update"):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "content")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if _is_content(target):
                    yield node.value
                elif isinstance(target, ast.Name) and target.id == "answer":
                    yield _content_of(node.value)


def _finals_in_functions(tree: ast.Module) -> bool:
    """Whether a function of the code finishes the run."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    return any(True for function in functions for _ in _finals(function))


def _variable(argument: ast.expr) -> ast.expr:
    """`FINAL_VAR("n")` means the variable `n`."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value.strip().isidentifier():
        return ast.Name(argument.value.strip())
    return argument


def _is_answer(node: ast.expr, attribute: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id == "answer"
    )


def _is_content(target: ast.expr) -> bool:
    return (
        isinstance(target, ast.Subscript)
        and isinstance(target.value, ast.Name)
        and target.value.id == "answer"
        and isinstance(target.slice, ast.Constant)
        and target.slice.value == "content"
    )


def _content_of(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "content":
                return item
    return value


def _reached(node: ast.AST, *, without: tuple[type[ast.AST], ...] = ()) -> Iterator[ast.AST]:
    """`node` and the nodes in it, but for those in functions, which are only defined, and in nodes of `without`."""
    closed = (*without, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, closed):
            yield one
            waiting += ast.iter_child_nodes(one)


class _Literals:
    """The names that the code binds to literals only."""

    def __init__(self, trees: Sequence[ast.Module]) -> None:
        self._bound: dict[str, list[ast.expr | None]] = {"answer": []}
        self._chosen: set[str] = set()
        for tree in trees:
            self._bind(tree, inside=False)
        self._seen: set[str] = set()

    def _bind(self, tree: ast.AST, *, inside: bool) -> None:
        """Collect the values of each name; `None` is one that is worked out, by a loop or an import."""
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self._take(target, node.value, inside=inside)
            elif isinstance(node, ast.For | ast.comprehension):
                self._take(node.target, node.iter, inside=inside)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._bound.setdefault(node.name, []).append(None)
                for argument in getattr(getattr(node, "args", None), "args", ()):
                    self._bound.setdefault(argument.arg, []).append(None)
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                self._take(node.optional_vars, node.context_expr, inside=inside)
            elif isinstance(node, ast.Call):
                self._take_call(node)
            elif isinstance(node, ast.alias):
                self._bound.setdefault((node.asname or node.name).partition(".")[0], []).append(None)
            self._bind(node, inside=inside or isinstance(node, _BRANCHES))

    def _take(self, target: ast.expr, value: ast.expr | None, *, inside: bool) -> None:
        names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
        for name in names:
            self._bound.setdefault(name, []).append(value)
            if inside:
                self._chosen.add(name)

    def _take_call(self, call: ast.Call) -> None:
        """A method may put its arguments into its object; a function of anybody's may do anything to its arguments."""
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            self._bound.setdefault(call.func.value.id, []).extend(call.args)
        elif isinstance(call.func, ast.Name) and call.func.id not in _PURE and not call.func.id.startswith("FINAL"):
            for argument in call.args:
                if isinstance(argument, ast.Name):
                    self._bound.setdefault(argument.id, []).append(None)

    def holds(self, expression: ast.expr) -> bool:
        """Whether `expression` is made of literals, by way of names too; a choice between several is worked out."""
        return all(self._is_literal(node.id) for node in ast.walk(expression) if isinstance(node, ast.Name))

    def passed_on(self, tree: ast.Module) -> set[str]:
        """The literals, as text, that the code passes to calls, by way of names too; one of several is chosen."""
        calls = [node for node in _reached(tree) if isinstance(node, ast.Call)]
        always = {id(node) for node in _reached(tree, without=_BRANCHES)}
        alike: dict[str, set[str]] = {}
        for call in calls:
            alike.setdefault(ast.dump(call.func), set()).add(ast.dump(call))
        passed: set[str] = set()
        for call in calls:
            if id(call) in always or len(alike[ast.dump(call.func)]) == 1:
                for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
                    nodes = _reached(argument, without=_BRANCHES)
                    passed |= {text for node in nodes for text in self._texts(node)}
        return passed

    def _texts(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Constant):
            yield str(node.value).strip()
        elif isinstance(node, ast.Name) and node.id not in self._chosen:
            for value in self._bound.get(node.id, []):
                if isinstance(value, ast.Constant):
                    yield str(value.value).strip()

    def _is_literal(self, name: str) -> bool:
        values = self._bound.get(name)
        if values is None or name == "answer":
            return values is not None or (name in _PURE and callable(getattr(builtins, name)))
        if name in self._seen:
            return True
        if name in self._chosen and len({ast.dump(value) for value in values if value is not None}) > 1:
            return False
        self._seen.add(name)
        try:
            return all(value is not None and self.holds(value) for value in values)
        finally:
            self._seen.discard(name)
