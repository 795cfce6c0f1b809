"""Evaluation: source -> the value of its last expression, as a prompt does it.

In: Python source, and the namespace that it runs in. Out: the value, or the exception that the code raised. Output and
errors are the caller's business.
"""

from __future__ import annotations
import __future__

import ast
import types
from typing import Any

from .python_source import MAX_LINKS, nests_too_deeply

_FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


class Evaluator:
    """Runs code in one namespace.

    Args:
        namespace: where names are bound and looked up.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self._flags = 0

    def evaluate(self, code: str, filename: str) -> object:
        """Parse, compile, run; the value of the last expression is returned, `None` where there is none.

        Raises:
            SyntaxError: it is no Python, or nests too deeply for the parser.
            BaseException: whatever the code raises.

        >>> Evaluator({}).evaluate("n = 6\\nn * 7", "<block 1>")
        42
        """
        if nests_too_deeply(code):
            raise SyntaxError(f"more than {MAX_LINKS:,} links in one expression: build the value in a loop instead")
        tree = ast.parse(code, filename)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        body = self._compiled(tree, filename, "exec")
        tail = self._compiled(ast.Expression(last.value), filename, "eval") if isinstance(last, ast.Expr) else None
        exec(body, self.namespace)
        return eval(tail, self.namespace) if tail else None

    def _compiled(self, tree: ast.Module | ast.Expression, filename: str, mode: str) -> types.CodeType:
        """Compile; `from __future__` statements hold for all later code, as at a prompt."""
        code: types.CodeType = compile(tree, filename, mode, flags=self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURES
        return code
