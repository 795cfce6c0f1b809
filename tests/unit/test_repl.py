"""The REPL is Python: output, value, errors and names of a block."""

from __future__ import annotations

import pytest

from rlm_core.errors import BlockTimedOut, RunStopped
from rlm_core.repl import Repl

REDIRECT = """\
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as f: print(1)
print(f.getvalue() + '2')
"""
CLOSURE = """\
def counter():
    n = 0
    def step():
        nonlocal n
        n += 1
        return n
    return step
step = counter()
"""
DATACLASS = """\
from dataclasses import dataclass, field
@dataclass
class P:
    x: int
    y: list[int] = field(default_factory=list)
print(P(1))
"""
TEXT_ANNOTATIONS = """\
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
@dataclass
class P:
    n: ClassVar[int] = 1
    x: int = 2
print(P())
"""
ENUM = """\
import enum, typing
class C(enum.Enum):
    RED = 1
class P(typing.NamedTuple):
    x: int
print(C.RED, P(1))
"""
GET_A = "print(inspect.getsource(A).rstrip())"
GET_OLD = "print(inspect.getsource(old).rstrip())"
NESTED = """import inspect
class A:
    class B:
        y = 2
def f():
    class B:
        z = 3
    return B
print(inspect.getsource(A.B), inspect.getsource(f()), sep="|", end="")"""
CONTEXT_MANAGER = """\
from contextlib import contextmanager
@contextmanager
def c():
    print('in')
    yield 1
    print('out')
with c() as x: print(x)
"""
LIBRARY = """\
import re, json, collections, sqlite3, statistics
print(sqlite3.connect(':memory:').execute('select 6*7').fetchone())
"""
DEL = """\
class A:
    def __del__(self): raise ValueError('late')
a = A()
del a
import gc
n = gc.collect()
print('on')
"""

# name of the promise, blocks, output of the last one
PRINTS = [
    ("print", ["print('hi')"], "hi\n"),
    ("several prints", ["print(1)\nprint(2, end='')\nprint(3)"], "1\n23\n"),
    ("names live on", ["a = 1", "print(a)"], "1\n"),
    ("names bound before an error survive", ["a = 1\n1/0", "print(a)"], "1\n"),
    ("output before an error is kept", ["print('before')\n1/0"], "before\n"),
    ("output before a value is kept", ["print('before')\n42"], "before\n"),
    ("stderr is kept in order", ["import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)"], "1\n2\n3\n"),
    ("sys.stdout.write", ["import sys\nn = sys.stdout.write('abc')\nprint(n)"], "abc3\n"),
    ("sys.stdout.writelines", ["import sys\nsys.stdout.writelines(['a', 'b'])"], "ab"),
    ("bytes to sys.stdout.buffer", ["import sys\nn = sys.stdout.buffer.write('é'.encode())"], "é"),
    ("bytes that are no text", ["import sys\nn = sys.stdout.buffer.write(b'\\xff')"], "\\xff"),
    (
        "flush, isatty, encoding",
        ["import sys\nsys.stdout.flush()\nprint(sys.stdout.isatty(), sys.stdout.encoding)"],
        "False utf-8\n",
    ),
    ("reconfigure", ["import sys\nsys.stdout.reconfigure(encoding='utf-8')\nprint(1)"], "1\n"),
    ("closed stdout opens again", ["import sys\nsys.stdout.close()", "print(1)"], "1\n"),
    ("lone surrogates", ["print('\\ud800')"], "\ud800\n"),
    (
        "redirected output stays where it went",
        [REDIRECT],
        "1\n2\n",
    ),
    (
        "a replaced sys.stdout holds for its block only",
        ["import sys, io\nsys.stdout = io.StringIO()\nprint('lost')", "print('here')"],
        "here\n",
    ),
    ("a deleted sys.stdout too", ["import sys\ndel sys.stdout", "print('here')"], "here\n"),
    (
        "a log handler works in later blocks",
        [
            "import logging\nlog = logging.getLogger('t')\nlog.handlers = [logging.StreamHandler()]",
            "log.warning('careful')",
        ],
        "careful\n",
    ),
    ("a function", ["def f(x):\n    return x + 1", "print(f(1))"], "2\n"),
    ("a function sees later globals", ["def f():\n    return late", "late = 5", "print(f())"], "5\n"),
    ("a function sees rebound globals", ["n = 1\ndef f():\n    return n", "n = 2", "print(f())"], "2\n"),
    ("global statement", ["n = 1\ndef f():\n    global n\n    n += 1\nf()", "print(n)"], "2\n"),
    ("recursion", ["def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)\nprint(fact(10))"], "3628800\n"),
    (
        "mutual recursion",
        ["def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\nprint(even(10))"],
        "True\n",
    ),
    (
        "closure",
        [
            CLOSURE,
            "step()\nprint(step())",
        ],
        "2\n",
    ),
    ("generator over blocks", ["def g():\n    yield 1\n    yield 2\nit = g()\nnext(it)", "print(next(it))"], "2\n"),
    (
        "comprehension sees names of the block",
        ["k = 3\nprint([k * i for i in range(3)], {i: k for i in 'a'})"],
        "[0, 3, 6] {'a': 3}\n",
    ),
    ("comprehension in a class body", ["class A:\n    xs = [1, 2]\n    ys = [x for x in xs]\nprint(A.ys)"], "[1, 2]\n"),
    ("lambda", ["f = lambda x: x * 2\nprint(f(4))"], "8\n"),
    ("walrus", ["print((n := 4) + n)"], "8\n"),
    (
        "class",
        [
            "class A:\n    def __init__(self, x): self.x = x\n    def __repr__(self): return f'A({self.x})'",
            "print(A(1))",
        ],
        "A(1)\n",
    ),
    (
        "class with super",
        ["class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f() + 1\nprint(B().f())"],
        "2\n",
    ),
    (
        "class belongs to __main__",
        ["class A: pass\nprint(A, A.__module__, __name__)"],
        "<class '__main__.A'> __main__ __main__\n",
    ),
    ("if __name__ == '__main__'", ["if __name__ == '__main__':\n    print('main')"], "main\n"),
    (
        "dataclass",
        [DATACLASS],
        "P(x=1, y=[])\n",
    ),
    (
        "dataclass with text annotations",
        [TEXT_ANNOTATIONS],
        "P(x=2)\n",
    ),
    (
        "future statements hold in later blocks",
        ["from __future__ import annotations", "def f(x: missing): pass\nprint(f.__annotations__)"],
        "{'x': 'missing'}\n",
    ),
    (
        "type hints of a class",
        ["import typing\nclass A:\n    x: 'B'\nclass B: pass", "print(typing.get_type_hints(A))"],
        "{'x': <class '__main__.B'>}\n",
    ),
    (
        "enum and namedtuple",
        [ENUM],
        "C.RED P(x=1)\n",
    ),
    ("pickle", ["import pickle\nclass A: pass\na = A()\na.x = 1", "print(pickle.loads(pickle.dumps(a)).x)"], "1\n"),
    ("import __main__", ["x = 5\nimport __main__\nprint(__main__.x)"], "5\n"),
    (
        "inspect finds the source",
        ["def f():\n    return 'mine'", "import inspect\nprint(inspect.getsource(f).rstrip())"],
        "def f():\n    return 'mine'\n",
    ),
    (
        "inspect finds the source of a class",
        ["import dataclasses, inspect\n\n@dataclasses.dataclass(slots=True)\nclass A:\n    x: int\n", GET_A],
        "@dataclasses.dataclass(slots=True)\nclass A:\n    x: int\n",
    ),
    (
        "inspect finds the source of a class with methods that was defined again",
        [
            "import inspect\nclass A:\n    def f(self): return 1\nold = A",
            "class A:\n    def f(self): return 2",
            GET_OLD,
        ],
        "class A:\n    def f(self): return 1\n",
    ),
    (
        "inspect finds the source of a class in a class and in a function",
        [NESTED],
        "    class B:\n        y = 2\n|    class B:\n        z = 3\n",
    ),
    (
        "inspect knows a class of a module",
        ["import inspect, json\nprint(len(inspect.getsource(json.JSONDecoder)) > 99)"],
        "True\n",
    ),
    ("match statement", ["match [1, 2]:\n    case [a, b]: print(a + b)"], "3\n"),
    (
        "context manager",
        [CONTEXT_MANAGER],
        "in\n1\nout\n",
    ),
    ("exec and eval", ["exec('z = 9')\nprint(eval('z + 1'))"], "10\n"),
    ("globals", ["q = 1\nprint(globals()['q'], 'q' in vars(), 'q' in dir())"], "1 True True\n"),
    ("del", ["a = 1\ndel a\nprint('a' in globals())"], "False\n"),
    ("star import", ["from math import *\nprint(floor(2.5))"], "2\n"),
    (
        "standard library",
        [LIBRARY],
        "(42,)\n",
    ),
    ("one block's source holds many lines", ["x = '''\na\nb\n'''\nprint(len(x.splitlines()))"], "3\n"),
    ("tabs and form feeds", ["if 1:\n\tprint('tab')\n\x0c"], "tab\n"),
    ("unicode names", ["größe = 3\nprint(größe)"], "3\n"),
    ("the context", ["print(context[:5])"], "the w\n"),
    (
        "a caught exception prints what it is",
        ["try:\n    1/0\nexcept ZeroDivisionError as e:\n    print(type(e).__name__, e)"],
        "ZeroDivisionError division by zero\n",
    ),
    (
        "traceback.print_exc shows only the block",
        ["import traceback\ntry:\n    1/0\nexcept ZeroDivisionError:\n    traceback.print_exc()"],
        None,
    ),
    (
        "warnings are shown, not raised",
        ["import warnings\nwarnings.warn('careful')\nprint('on')"],
        "<block 1>:2: UserWarning: careful\non\n",
    ),
    ("warnings of the compiler are shown", ["x = 1\nprint(x is 1)"], None),
    (
        "an exception in __del__ is shown",
        [DEL],
        None,
    ),
    ("reserved names come back, and it is said", ["context = 1", "print(context[:5])"], "the w\n"),
    ("last_error keeps what ended a block", ["raise ValueError('x', 1)", "print(last_error.args)"], "('x', 1)\n"),
    (
        "SHOW_VARS",
        ["a = 'abc'\nb = [1]\ndef f(): pass", "print(SHOW_VARS())"],
        "a: str of 3\nb: list of 1\nf: function\n",
    ),
    ("SHOW_VARS leaves out what is private or ours", ["_x = 1", "print(SHOW_VARS())"], "\n"),
]

# name of the promise, blocks, value shown of the last one
VALUES = [
    ("expression", ["6 * 7"], "42"),
    ("name", ["a = [1, 2]", "a"], "[1, 2]"),
    ("text is shown as a literal", ["'it\\'s'"], '"it\'s"'),
    ("after statements", ["a = 1\na + 1"], "2"),
    ("None is not shown", ["None"], None),
    ("a call that gives None is not shown", ["print(1)"], None),
    ("an assignment gives nothing", ["a = 1"], None),
    ("only the last expression", ["1\n2\n3"], "3"),
    ("an expression before a statement is not shown", ["1\na = 2"], None),
    ("in an if it is not shown", ["if True:\n    5"], None),
    ("with a comment after it", ["5  # five\n# done"], "5"),
    ("over several lines", ["(1 +\n 2)"], "3"),
    ("tuple", ["1, 2"], "(1, 2)"),
    ("a docstring alone", ["'''text'''"], "'text'"),
    ("empty code", [""], None),
    ("only a comment", ["# nothing"], None),
    ("SHOW_VARS as an expression", ["a = 1", "SHOW_VARS()"], "a: int"),
    ("False and 0 are shown", ["0"], "0"),
    ("walrus", ["(n := 3)"], "3"),
    ("nothing after an error", ["1/0\n5"], None),
]

# name of the promise, blocks, parts of the error of the last one
ERRORS = [
    (
        "division",
        ["x = 1\nx / 0"],
        ['  File "<block 1>", line 2, in <module>\n    x / 0', "ZeroDivisionError: division by zero"],
    ),
    (
        "its own source in a function",
        ["def f():\n    return missing", "f()"],
        ['<block 2>", line 1', "    f()", '<block 1>", line 2, in f', "    return missing", "NameError"],
    ),
    ("unknown name", ["missing"], ["NameError: name 'missing' is not defined"]),
    ("syntax", ["x = = 1"], ['File "<block 1>", line 1', "x = = 1", "SyntaxError: invalid syntax"]),
    ("indentation", ["if 1:\nx = 1"], ["IndentationError"]),
    ("null byte", ["x = '\0'"], ["null bytes"]),
    ("return outside of a function", ["return 1"], ["SyntaxError: 'return' outside function"]),
    (
        "import of what is not there",
        ["import no_such_module"],
        ["ModuleNotFoundError: No module named 'no_such_module'"],
    ),
    (
        "cause",
        ["try:\n    1/0\nexcept Exception as e:\n    raise ValueError('v') from e"],
        ["ZeroDivisionError", "direct cause", "ValueError: v"],
    ),
    (
        "context",
        ["try:\n    1/0\nexcept Exception:\n    {}['k']"],
        ["ZeroDivisionError", "During handling", "KeyError: 'k'"],
    ),
    (
        "group",
        ["raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])"],
        ["ExceptionGroup: g", "ValueError: a", "TypeError: b"],
    ),
    ("note", ["e = ValueError('v')\ne.add_note('remember')\nraise e"], ["ValueError: v\nremember"]),
    ("assertion", ["assert 1 == 2, 'no'"], ["AssertionError: no"]),
    ("library frames stay", ["import json\njson.loads('{')"], ["json.loads('{')", "decoder.py", "JSONDecodeError"]),
    ("sys.exit", ["import sys\nsys.exit('bye')"], ["SystemExit: 'bye'", "the REPL and its names are still there"]),
    ("exit code", ["raise SystemExit(3)"], ["SystemExit: 3"]),
    ("input", ["name = input('Name? ')"], ["EOFError: nobody can type here"]),
    ("sys.stdin", ["import sys\nsys.stdin.read()"], ["EOFError: nobody can type here"]),
    ("lines of sys.stdin", ["import sys\nlist(sys.stdin)"], ["EOFError: nobody can type here"]),
    (
        "endless recursion",
        ["def f(): return f()\nf()"],
        ["RecursionError: maximum recursion depth exceeded", "frames not shown"],
    ),
    ("memory", ["raise MemoryError"], ["MemoryError"]),
    ("an endless expression", ["1" + "+1" * 1_001], ["SyntaxError: more than 1,000 links in one expression"]),
    ("top-level await", ["await something()"], ["SyntaxError: 'await' outside function", "call them without `await`"]),
    ("a class of exceptions of its own", ["class Odd(Exception): pass\nraise Odd('x')"], ["Odd: x"]),
    ("a BaseException", ["class Odd(BaseException): pass\nraise Odd('x')"], ["Odd: x"]),
    ("GeneratorExit", ["raise GeneratorExit"], ["GeneratorExit"]),
    (
        "an exception without text",
        ["class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd"],
        ["Odd: <exception str() failed>"],
    ),
    (
        "a repr that raises",
        ["class Odd:\n    def __repr__(self): raise ValueError('no repr')\nOdd()"],
        ["in __repr__", "ValueError: no repr"],
    ),
    (
        "a repr that gives no text",
        ["class Odd:\n    def __repr__(self): return 5\nOdd()"],
        ["TypeError: __repr__ returned non-string"],
    ),
    (
        "writing what is no text",
        ["import sys\nsys.stdout.write(5)"],
        ["TypeError: write() argument must be str, not int"],
    ),
    ("last_error does not hold itself", ["1/0", "raise last_error"], ["ZeroDivisionError"]),
    (
        "a bad answer dictionary",
        ["class Odd(dict):\n    def get(self, *a): raise ValueError('odd')\nanswer = Odd(content=1)"],
        ["ValueError: odd"],
    ),
]


@pytest.mark.parametrize(("name", "blocks", "stdout"), PRINTS, ids=[case[0] for case in PRINTS])
def test_what_a_block_prints(name: str, blocks: list[str], stdout: str | None) -> None:
    repl = Repl("the whole context")
    seen = [repl.execute(code) for code in blocks][-1]
    if stdout is not None:
        assert seen.stdout == stdout
        assert seen.stdout_chars == len(stdout)
    assert seen.error is None or "/0" in blocks[-1]


@pytest.mark.parametrize(("name", "blocks", "value"), VALUES, ids=[case[0] for case in VALUES])
def test_the_value_of_a_last_expression_is_shown(name: str, blocks: list[str], value: str | None) -> None:
    repl = Repl()
    assert [repl.execute(code) for code in blocks][-1].value == value


@pytest.mark.parametrize(("name", "blocks", "parts"), ERRORS, ids=[case[0] for case in ERRORS])
def test_an_error_shows_the_models_lines_and_none_of_ours(name: str, blocks: list[str], parts: list[str]) -> None:
    repl = Repl()
    error = [repl.execute(code) for code in blocks][-1].error
    assert error is not None
    assert [part for part in parts if part not in error] == []
    assert "rlm_core" not in error
    assert repl.execute("print('alive')").stdout == "alive\n"


def test_the_tables_hold_more_than_sixty_cases() -> None:
    assert len(PRINTS) + len(VALUES) + len(ERRORS) >= 60


def test_output_of_stderr_kinds_is_shown_as_text() -> None:
    repl = Repl()
    assert "ValueError: late" in repl.execute(DEL).stdout
    assert "SyntaxWarning" in repl.execute("x = 1\nprint(x is 1)").stdout
    assert repl.execute("import warnings\nwarnings.warn('old', DeprecationWarning)").stdout == ""


def test_the_kind_of_stop_that_ended_a_block_is_known_until_the_next() -> None:
    def late() -> None:
        raise BlockTimedOut("the block was stopped after 1 s.")

    def stopped() -> None:
        raise RunStopped

    repl = Repl()
    repl.reserve({"late": late, "stopped": stopped})
    kinds = []
    for block in ("1/0", "late()", "raise KeyboardInterrupt", "stopped()"):
        repl.execute(block)
        kinds.append(repl.stopped)
    assert kinds == [None, "timed_out", None, "cancelled"]
