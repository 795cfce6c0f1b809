"""health: a change of the interpreter that later blocks would stumble over is noticed, and ordinary code is not."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import linecache
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlm_core.events import BlockFinished, Output
from rlm_core.observe import to_message
from rlm_core.repl import Repl
from rlm_core.types import Observation

sys.path.insert(0, str(Path(__file__).parents[2] / "worker" / "sandbox"))
bridge = importlib.import_module("bridge")
health = importlib.import_module("health")
MOST_SECONDS = 0.001
INWARD = ("__globals__", "__closure__", "__code__", "__wrapped__", "__func__", "func")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("library") / "library.zip"
    path.write_bytes(b"modules")
    sys.path.append(str(path))
    yield path
    sys.path.remove(str(path))


@pytest.fixture(scope="module")
def watched(archive: Path) -> Any:
    watched = health.Health()
    watched.begin()
    return watched


Poison = Callable[[pytest.MonkeyPatch], object]


def code_of(function: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(function, "__code__", (lambda *_, **__: None).__code__)


def put(owner: object, name: str, value: object = len) -> Poison:
    """Set an attribute for as long as the test lasts."""
    return lambda patch: patch.setattr(owner, name, value)


def put_global(module: str, name: str) -> Poison:
    return lambda patch: patch.setitem(vars(sys.modules[module]), name, len)


RUN = "rlm_core.run"
POISONS: dict[str, tuple[Poison, str]] = {
    "sys.modules without builtins": (lambda patch: patch.delitem(sys.modules, "builtins"), "sys.modules: builtins"),
    "another sys.modules": (put(sys, "modules", {**sys.modules}), "replaced sys.modules"),
    "a module of ours gone": (lambda patch: patch.delitem(sys.modules, RUN), "deleted sys.modules: rlm_core.run"),
    "ast.parse": (put(ast, "parse"), "replaced ast.parse"),
    "a method of ast": (put(ast.NodeVisitor, "visit"), "replaced ast.NodeVisitor.visit"),
    "traceback": (put(traceback, "format_exception"), "replaced traceback.format_exception"),
    "the code of traceback": (lambda patch: code_of(traceback.format_exception, patch), "changed the function trace"),
    "io": (put(io, "StringIO", None), "replaced io.StringIO"),
    "a name of io": (lambda patch: patch.delattr(io, "open"), "deleted io.open"),
    "linecache": (put(linecache, "getlines"), "replaced linecache.getlines"),
    "contextlib": (put(contextlib, "contextmanager"), "replaced contextlib.contextmanager"),
    "json, which ours call": (put(json, "loads"), "replaced json.loads"),
    "a global of ours": (put_global("rlm_core.repl", "shown"), "replaced rlm_core.repl.shown"),
    "a constant of ours": (put_global("host_requests", "MAX_CALLS"), "replaced host_requests.MAX_CALLS"),
    "a module in ours": (put_global(RUN, "prompts"), "replaced rlm_core.run.prompts"),
    "a method of ours": (put(Repl, "execute"), "replaced rlm_core.repl.Repl.execute"),
    "the code of a method": (lambda patch: code_of(Repl.execute, patch), "function rlm_core.repl.Repl.execute"),
    "defaults of ours": (put(to_message, "__kwdefaults__", {"max_chars": 1}), "changed the function rlm_core.observe"),
    "the check itself": (put(health, "_stat"), "replaced health._stat"),
    "the import path": (put(sys, "path", []), "out of sys.path"),
}


@pytest.mark.parametrize(("poison", "words"), POISONS.values(), ids=POISONS.keys())
def test_a_change_that_must_not_stay_is_named(
    watched: Any, monkeypatch: pytest.MonkeyPatch, poison: Poison, words: str
) -> None:
    assert watched.fault() is None
    poison(monkeypatch)
    fault = watched.fault()
    monkeypatch.undo()
    assert words in str(fault)
    assert watched.fault() is None


def test_a_variable_held_by_a_function_of_ours_is_watched(watched: Any) -> None:
    cell = watched._cells[0]
    before = cell.cell_contents
    cell.cell_contents = object()
    fault = watched.fault()
    cell.cell_contents = before
    assert (fault, watched.fault()) == ("changed a variable that a function of the REPL holds", None)


def test_a_file_of_modules_that_is_changed_or_deleted_is_named(watched: Any, archive: Path) -> None:
    before, times = archive.read_bytes(), archive.stat()
    for act in (archive.unlink, lambda: archive.write_bytes(b"")):
        act()
        assert f"deleted or changed {archive}" in watched.fault()
        archive.write_bytes(before)
        os.utime(archive, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert watched.fault() is None


def test_an_audit_hook_is_noticed_once_for_each(watched: Any) -> None:
    hook: Any = {}.setdefault
    sys.addaudithook(hook)  # of no consequence: nothing can remove it
    assert watched.fault() == "added an audit hook, which nothing can remove"
    assert watched.fault() is None


HARMLESS = {
    "names of its own": """
class A:
    def f(self): return 1
A.f = lambda self: 2
A.__name__ = 'B'
""",
    "functions of its own": """
def f(): pass
f.__code__ = (lambda: 1).__code__
f.__defaults__ = ()
""",
    "named tuples and data classes": """
import dataclasses, collections, enum, typing
P = collections.namedtuple('P', 'x')
@dataclasses.dataclass
class D:
    x: int = 1
class E(enum.Enum):
    A = 1
class T(typing.NamedTuple):
    a: int
""",
    "many imports": """
import csv, sqlite3, decimal, statistics, xml.etree.ElementTree
import html.parser, difflib, textwrap, fractions
""",
    "a module popped": """
import sys, csv
sys.modules.pop('csv', None)
import csv
""",
    "a module of its own": """
import sys, types
sys.modules['mine'] = types.ModuleType('mine')
import mine
mine.f = len
del sys.modules['mine']
""",
    "a third-party module patched": """
import sys, types
m = types.ModuleType('vendor'); m.get = len
sys.modules['vendor'] = m
m.get = max
del sys.modules['vendor']
""",
    "warnings silenced": """
import warnings
warnings.warn = lambda *a, **k: None
warnings.filterwarnings('ignore')
""",
    "time mocked": """
import time
was = time.sleep
time.sleep = lambda s: None
time.sleep = was
""",
    "asyncio patched": """
import asyncio
was = asyncio.run
asyncio.run = lambda c: None
asyncio.run = was
""",
    "the JSON encoder's default": """
import json
was = json.JSONEncoder.default
json.JSONEncoder.default = lambda self, o: str(o)
json.dumps({1})
json.JSONEncoder.default = was
""",
    "builtins, which are put back": """
import builtins
builtins.print = lambda *_: None
builtins.extra = 1
del builtins.extra
""",
    "hooks, which are put back": """
import sys
sys.settrace(lambda *_: None)
sys.meta_path.clear()
sys.excepthook = None
""",
    "a path": """
import sys, os
sys.path.insert(0, '/tmp')
sys.path = [p for p in sys.path]
sys.path.remove('/tmp')
""",
    "printed to a buffer": """
import io, contextlib
with contextlib.redirect_stdout(io.StringIO()):
    print(1)
""",
    "mocks": """
from unittest import mock
with mock.patch('json.loads'), mock.patch('ast.parse'), mock.patch('builtins.open'):
    pass
""",
    "a fault": """
import linecache
linecache.clearcache()
1 / 0
""",
    "reserved names": """
llm_query = 1
context = 2
del FINAL
""",
    "identities and audit events": """
import sys
for n in range(1000): id(n)
sys.audit('mine', 1)
exec('1')
compile('1', 'x', 'eval')
""",
}


@pytest.mark.parametrize("code", HARMLESS.values(), ids=HARMLESS.keys())
def test_ordinary_code_raises_no_alarm(watched: Any, code: str) -> None:
    silenced = warnings.warn
    try:
        Repl().execute(code)
        assert watched.fault() is None
    finally:
        warnings.warn = silenced


def test_a_check_costs_less_than_a_millisecond(watched: Any) -> None:
    def seconds() -> float:
        began = time.process_time()
        watched.fault()
        return time.process_time() - began

    assert min(seconds() for _ in range(50)) < MOST_SECONDS


def test_nothing_is_looked_at_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ast, "walk", len)
    assert health.Health().fault() is None


def test_our_functions_do_not_lead_to_their_modules() -> None:
    repl = Repl()
    functions = [value for value in repl._reserved.values() if callable(value) and not isinstance(value, type)]
    assert functions
    for function in functions:
        assert [
            name for name in ("__globals__", "__closure__", "__code__", "__wrapped__") if hasattr(function, name)
        ] == []
    assert repl.execute("import inspect; print(inspect.signature(FINAL), FINAL.__name__, FINAL.__doc__)").stdout == (
        "(value: 'object', evidence: 'object' = None) -> 'None' FINAL "
        "Finish with `value` as the final answer; `evidence`: quotes of the context that bear it out.\n"
    )


class Line:
    """A line that keeps what it is told."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.faults: list[str] = []

    def emit(self, body: str) -> None:
        self.sent.append(body)

    def fail(self, fault: str) -> None:
        self.faults.append(fault)

    def interruptible(self, on: bool) -> None:
        """Nothing to interrupt here."""


def test_a_changed_interpreter_is_reported_before_its_block_ends(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    outbox = bridge.Outbox(line, clock=lambda: 0.0)
    observation = Observation(stdout="seen", stdout_chars=4, value=None, error=None, seconds=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(health, "HEALTH", watched)
        watched.learn()  # with this very name patched
        outbox.emit(Output(iteration=1, block=0, text="seen"))
        patch.setattr(ast, "walk", len)
        with pytest.raises(health.Unhealthy):
            outbox.emit(BlockFinished(iteration=1, block=0, observation=observation))
    watched.learn()
    assert line.faults == ["replaced ast.walk"]
    assert [json.loads(body)[0]["type"] for body in line.sent] == ["output"]
