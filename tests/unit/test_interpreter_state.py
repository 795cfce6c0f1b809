"""Hooks: a change of the interpreter's switches by a block is undone before the next line of ours runs."""

from __future__ import annotations

import gc
import signal
import sys

import pytest

from rlm_core.repl import Repl

TAMPERS = {
    "print": "import builtins; builtins.print = lambda *_: None",
    "len and str": "import builtins; builtins.len = lambda _: 7; builtins.str = bytes",
    "deleted builtins": "import builtins; del builtins.len, builtins.isinstance, builtins.BaseException",
    "compile": "import builtins; builtins.compile = builtins.exec = builtins.eval = None",
    "__import__": "import builtins; builtins.__import__ = None",
    "__builtins__": "globals()['__builtins__'] = {}",
    "a trace function": "import sys; sys.settrace(lambda *_: 1 / 0)",
    "a profile function": "import sys; sys.setprofile(lambda *_: 1 / 0)",
    "a finder": "import sys; sys.meta_path.insert(0, None)",
    "no finders": "import sys; sys.meta_path = []; sys.path_hooks.clear()",
    "a gc callback": "import gc; gc.callbacks.append(lambda *_: 1 / 0); gc.disable()",
    "handlers": "import sys; sys.excepthook = sys.unraisablehook = sys.displayhook = None",
    "Ctrl-C": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
}
MONITORING = """
import sys
sys.monitoring.use_tool_id(3, "spy")
sys.monitoring.register_callback(3, sys.monitoring.events.PY_START, lambda *_: 1 / 0)
sys.monitoring.set_events(3, sys.monitoring.events.PY_START)
"""


def switches() -> list[object]:
    callbacks = [*gc.callbacks], gc.isenabled(), sys.meta_path, [*sys.meta_path], [*sys.path_hooks]
    return [
        *callbacks,
        sys.excepthook,
        sys.displayhook,
        signal.getsignal(signal.SIGINT),
        sys.gettrace(),
        sys.getprofile(),
    ]


@pytest.mark.parametrize("tamper", TAMPERS.values(), ids=TAMPERS.keys())
def test_the_next_block_finds_an_untouched_interpreter(tamper: str) -> None:
    repl = Repl()
    before = switches()
    repl.execute(tamper)
    assert switches() == before
    assert repl.execute("import json\nprint(len([1, 2]), str(3))").stdout == "2 3\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_a_monitoring_tool_does_not_outlive_its_block() -> None:
    repl = Repl()
    repl.execute(MONITORING)
    assert sys.monitoring.get_tool(3) is None  # type: ignore[attr-defined]
    assert repl.execute("print(1)").stdout == "1\n"
