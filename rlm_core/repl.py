"""REPL: a code block -> an Observation.

In: one code block. Out: its output, the value of its last expression, the traceback of the exception that ended it.
One namespace lives as long as the `Repl`; the names in it that are ours are put back after each block. The final answer
is kept in `Repl.final`, so that model code cannot lose it by catching the exception that ends its block.

Nothing here calls a model: functions that do are given to `reserve`. Model code runs in this very interpreter; keeping
it from harm is the worker's and the host's work.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from .block_source import register
from .display import Displays
from .errors import BlockTimedOut, ConfigError, RunStopped, StopRun, SubCallError, ToolError
from .evaluation import Evaluator
from .evidence import items_of
from .interpreter_state import way_back
from .last_value import last_item
from .output import Output
from .surroundings import INTERPRETER, stopped_by_ctrl_c, written_to
from .tracebacks import render
from .types import Evidence, Observation
from .value_text import Listing, Variable, plain, shown, variable_line, variable_of

T = TypeVar("T")

CALLS = (
    "llm_query",
    "llm_batch",
    "llm_query_batched",
    "map_items",
    "rlm_query",
    "rlm_batch",
    "rlm_query_batched",
)
"""Names of the functions that call models."""
RESERVED = ("context", "answer", "FINAL", "FINAL_VAR", "SHOW_VARS", "cite", *CALLS, "SubCallError", "ToolError")
"""Names that are ours in every run; no tool may take one of them."""

MAX_VARIABLES = 500
"""Variables that are listed with their facts."""
_NOT_ANSWERS = (
    types.FunctionType,
    functools._lru_cache_wrapper,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.GeneratorType,
    types.CoroutineType,
    type,
)


class Repl:
    """A Python prompt for a model.

    Args:
        context: the run's data, bound to `context`.
        max_chars: most characters kept of a block's output, of its value and of its traceback, each.
        name: name of its blocks in tracebacks: `<block 1>`.

    Attributes:
        final: the final answer, once model code has given one; `final_value`: the same as the value that it was.
        evidence: the quotes that it was given with, not checked.
        interrupted: whether the user's stop ended a block; a `KeyboardInterrupt` of model code is a fault.
        timed_out: whether the last block was ended because its own time was up.
    """

    def __init__(self, context: object = "", *, max_chars: int = 20_000, name: str = "block") -> None:
        self.final: str | None = None
        self.final_value: object = None
        self.evidence: list[Evidence] = []
        self._text_of: Callable[[object], str] | None = None
        self.interrupted = False
        self.timed_out = False
        self.max_chars = max_chars
        self._name = name
        self._module = types.ModuleType("__main__")
        self.namespace: dict[str, Any] = self._module.__dict__
        self._evaluator = Evaluator(self.namespace)
        self._blocks = 0
        self._answer: dict[str, object] = {"content": "", "ready": False}
        self._cited: list[Evidence] = []
        self.displays = Displays()
        self._reserved: dict[str, object] = {}
        self.reserve(
            {
                "context": context,
                "answer": self._answer,
                "SubCallError": SubCallError,
                "ToolError": ToolError,
                **_finishing_functions(self),
            }
        )

    def begin(self, context: object) -> None:
        """Be ready for another question, over `context`: no answer yet, and all that is bound stays bound."""
        self.withdraw()
        self._cited.clear()
        self.interrupted = False
        self._answer.update(content="", ready=False)
        self._answer.pop("evidence", None)
        self.rebind({"context": context})

    def rebind(self, names: Mapping[str, object]) -> None:
        """Bind reserved names anew, whether they are taken or not."""
        closed = {name: closed_up(value) for name, value in names.items()}
        self._reserved.update(closed)
        self.namespace.update(closed)

    def reserve(self, names: Mapping[str, object]) -> None:
        """Bind `names`, now and again after each block that rebinds or deletes them.

        Raises:
            ConfigError: one of them is taken already; it is named.
        """
        for name in names:
            if name in self._reserved:
                raise ConfigError(f"the name {name!r} is taken in the REPL; choose another.")
        self.rebind(names)

    def execute(self, code: str, *, on_output: Callable[[str], object] = lambda text: None) -> Observation:
        """Run one block; whatever it does is in the result, nothing is raised.

        Args:
            code: Python source.
            on_output: called with each piece of output as it is printed.

        >>> Repl().execute("print('hi')\\n6 * 7").value
        '42'
        """
        self.timed_out = False
        filename = self._register(code)
        output = Output(self.max_chars, on_output)
        started = time.perf_counter()
        with self._prompt(output):
            value, error = self._guarded(lambda: self._evaluate(code, filename))
            _, error_after = self._guarded(lambda: self._after_block(output))
        return Observation(
            stdout=output.text(),
            stdout_chars=output.chars,
            value=value,
            error=error or error_after,
            seconds=time.perf_counter() - started,
            shown=self.displays.take(),
        )

    # --- Finishing: the answer so far -------------------------------------------------------------------------------

    @property
    def partial(self) -> str:
        """The answer that the REPL holds so far, `""` if none."""
        if self.final is not None:
            return self.final
        content = self._answer.get("content")
        if content is None or isinstance(content, str):
            return str.__str__(content or "")
        text, _ = self._aside(lambda: plain(content))
        return text or ""

    def check_running(self) -> None:
        """Raise `StopRun` when there is a final answer: a block that swallowed the first one is stopped again."""
        if self.final is not None:
            raise StopRun

    def finish(self, value: object, *, said: str = "FINAL(...)", evidence: object = None) -> None:
        """Take `value` as the final answer; the first one counts.

        Args:
            value: the model's answer; the `answer` dictionary stands for its content.
            said: the model's words, for messages.
            evidence: quotes that bear it out, in any of the forms of `items_of`.

        Raises:
            ValueError: it is empty.
            TypeError: it is a function, a module or the like, or the evidence holds no quotes.
        """
        if isinstance(value, dict) and {"content"} <= value.keys() <= {"content", "ready", "evidence"}:
            evidence = evidence or value.get("evidence")
            value = value["content"]
        quotes = [*self._cited, *items_of(evidence)]
        if isinstance(value, _NOT_ANSWERS):
            raise TypeError(f"{said}: a {type(value).__name__} is not an answer; give text or a value.")
        text = self._text_of(value) if self._text_of else "" if value is None else plain(value)
        if not text.strip():
            raise ValueError(f"{said}: the answer is empty ({shown(value, 40)}). Work it out first, then finish.")
        if self.final is None:
            self.final, self.final_value, self.evidence = text, value, quotes

    def take_values(self, text_of: Callable[[object], str] | None) -> None:
        """Take answers as values, whose text `text_of` gives; with `None` as text."""
        self._text_of = text_of

    @property
    def takes_values(self) -> bool:
        """Whether the run wants a value: text that is JSON counts as one."""
        return self._text_of is not None

    def cite(self, quote: object, source: object = None) -> int:
        """Keep a quote as evidence of the answer to come; return its number, from 1."""
        [item] = items_of([{"quote": quote, "source": source}])
        if item not in self._cited:
            self._cited.append(item)
        return self._cited.index(item) + 1

    @property
    def cited(self) -> list[Evidence]:
        """The quotes that were kept so far."""
        return [*self._cited]

    def withdraw(self) -> str:
        """Take the final answer back, as it has to be confirmed; return it."""
        text, self.final, self.final_value, self.evidence = self.final or "", None, None, []
        self._answer["ready"] = False
        return text

    def finish_with_variable(self, name: str, evidence: object = None) -> str | None:
        """Take the variable `name` as the final answer; return why that cannot be, or `None` when it is done."""

        def finish() -> None:
            self.finish(self.variable(name), said=f"FINAL_VAR({name})", evidence=evidence)

        _, error = self._aside(finish)
        return error.splitlines()[-1] if error else None

    def variable(self, name: str) -> object:
        """The value of the model's variable `name`.

        Raises:
            NameError: there is none; the message lists those that there are.
        """
        if name not in self.namespace or (name.startswith("__") and name.endswith("__")):
            names = ", ".join(islice(self.variables(), 30)) or "none yet"
            raise NameError(f"there is no variable {name!r}. Your variables: {names}.")
        return self.namespace[name]

    def holds_value(self, name: str) -> bool:
        """Whether `name` is a variable that can be an answer (a module or a function cannot)."""
        return name in self.namespace and not isinstance(self.namespace[name], _NOT_ANSWERS)

    def variables(self) -> Iterator[str]:
        """Names that the model has bound, in the order it did."""
        return (name for name in list(self.namespace) if name not in self._reserved and not name.startswith("_"))

    def variable_facts(self) -> list[Variable]:
        """The context and the variables with their types, sizes and previews: the newest, `MAX_VARIABLES` at most."""
        names = ["context", *list(self.variables())[-MAX_VARIABLES:]]
        return [self._facts(name) for name in names if name in self.namespace]

    def _facts(self, name: str) -> Variable:
        """The facts of a variable; one whose `repr` fails has the error for a preview."""
        value = self.namespace[name]
        facts, error = self._aside(lambda: variable_of(name, value))
        if facts is not None:
            return facts
        why = (error or "").strip().splitlines()
        return {"name": name, "type": type(value).__name__, "size": "", "preview": f"({why[-1][:100] if why else ''})"}

    # --- One block, step by step ------------------------------------------------------------------------------------

    def _register(self, code: str) -> str:
        """Give the block a file name under which tracebacks and `inspect` find its source."""
        self._blocks += 1
        filename = f"<{self._name} {self._blocks}>"
        register(self._module, filename, code)
        return filename

    @property
    def stopped(self) -> str | None:
        """The kind of stop that ended the last block, as `BlockFinished.stopped` has it; `None`: none did."""
        return "timed_out" if self.timed_out else "cancelled" if self.interrupted else None

    def _evaluate(self, code: str, filename: str) -> str | None:
        """Run the block; the `repr` of the last expression's value is returned, if there is one to show."""
        value = self._evaluator.evaluate(code, filename)
        self.displays.show_last(last_item(value))
        return None if value is None else shown(value, self.max_chars)

    def _guarded(self, action: Callable[[], T]) -> tuple[T | None, str | None]:
        """Call `action`, which runs model code; return its result, or the text of the exception that ended it."""
        put_back = way_back()
        try:
            try:
                return action(), None
            finally:
                put_back()
        except StopRun:
            return None, None  # a final answer or a spent limit: run.py decides what happens next
        except BlockTimedOut as stopped:
            self.timed_out = True
            return None, str(stopped)
        except RunStopped:
            self.interrupted = True
            return None, "KeyboardInterrupt: the run was stopped."
        except BaseException as fault:  # noqa: BLE001 - a fault in model code is data
            error = render(fault, max_chars=self.max_chars)
            self.namespace["last_error"] = BaseException.with_traceback(fault, None)  # without it frames live on
            return None, error

    def _aside(self, action: Callable[[], T]) -> tuple[T | None, str | None]:
        """Call `action`, which may run model code (a `__str__`), outside of a block; its output is dropped."""
        with self._prompt(Output(self.max_chars, lambda text: None)):
            return self._guarded(action)

    def _after_block(self, output: Output) -> None:
        """Read `answer` and put back our names."""
        bound = self.namespace.get("answer")
        if bound is not self._answer:
            self._adopt(bound, output)
        for name, value in self._reserved.items():
            if self.namespace.get(name, _MISSING) is not value:
                self.namespace[name] = value
                if name != "answer":
                    output.write(f"[`{name}` is reserved and has its own value again: use another name for yours]\n")
        if _is_ready(self._answer.get("ready")) and self.final is None:
            self._answer["ready"] = False
            self.finish(self._answer.get("content"), said="answer", evidence=self._answer.get("evidence"))

    def _adopt(self, bound: object, output: Output) -> None:
        """Adopt the value that model code bound to `answer`: a dictionary like ours, or else the answer's content."""
        if isinstance(bound, Mapping) and ("content" in bound or "ready" in bound):
            self._answer.update(content=bound.get("content", ""), ready=bound.get("ready", False))
            self._answer["evidence"] = bound.get("evidence")
        elif bound is not None:
            self._answer["content"] = bound
            output.write('[`answer` is the dictionary you finish with: your value is now answer["content"]]\n')

    # --- Surroundings -----------------------------------------------------------------------------------------------

    @contextmanager
    def _prompt(self, output: Output) -> Iterator[None]:
        """Be `__main__`, with our streams; afterwards the interpreter is as it was, whatever the block did to it."""
        with INTERPRETER, written_to(output), stopped_by_ctrl_c():
            sys.modules["__main__"] = self._module
            self.namespace.update(__name__="__main__", __builtins__=builtins)
            yield


_MISSING = object()


def closed_up(value: object) -> object:
    """`value`; a Python function as one of C that calls it, without the way to the variables of its module and closure.

    A cache of size 0 is such a function: it keeps nothing, and has no attribute that leads to the one within.

    >>> hasattr(closed_up(lambda: 1), "__globals__"), closed_up(lambda: 1)()
    (False, 1)
    """
    if not isinstance(value, types.FunctionType):
        return value
    value.__qualname__ = value.__name__  # the name in messages about its arguments
    function: Any = functools.lru_cache(maxsize=0)(value)
    function.__signature__ = inspect.signature(value)
    del function.__wrapped__
    return function


def _finishing_functions(repl: Repl) -> dict[str, Callable[..., object]]:
    """The functions by which model code ends the run, and the one that lists its variables."""

    def FINAL(value: object, evidence: object = None) -> None:  # noqa: N802 - the name that models know
        """Finish with `value` as the final answer; `evidence`: quotes of the context that bear it out."""
        repl.check_running()
        repl.finish(value, evidence=evidence)
        raise StopRun

    def FINAL_VAR(name: object, evidence: object = None) -> None:  # noqa: N802
        """Finish with the value of the variable `name` as the final answer; `evidence` as of FINAL."""
        repl.check_running()
        repl.finish(_meant(repl, name), said="FINAL_VAR(...)", evidence=evidence)
        raise StopRun

    def cite(quote: str, source: object = None) -> int:
        """Keep a quote of the context as evidence of the answer to come; returns its number for a mark such as [1]."""
        return repl.cite(quote, source)

    def SHOW_VARS() -> Listing:  # noqa: N802
        """The variables bound so far, a line each: name, type and size."""
        return Listing("\n".join(variable_line(name, repl.namespace[name]) for name in repl.variables()))

    return {"FINAL": FINAL, "FINAL_VAR": FINAL_VAR, "SHOW_VARS": SHOW_VARS, "cite": cite}


def _meant(repl: Repl, name: object) -> object:
    """The value that `FINAL_VAR(name)` means: of the variable, or `name` itself where the quotes were left out."""
    if not isinstance(name, str):
        return name
    bare = name.strip()
    if not bare.isidentifier() and any(value is name for value in repl.namespace.values()):
        return name
    return repl.variable(bare)


def _is_ready(value: object) -> bool:
    """Whether an answer is marked as ready; models write the word of JSON, too."""
    return value.strip().lower() not in ("", "false", "no", "0") if isinstance(value, str) else bool(value)
