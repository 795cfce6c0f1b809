"""Interpreter state: its switches before model code runs, and the way back to them.

In: the interpreter as it is now. Out: one call that puts back builtins, the functions that trace, profile and monitor,
the import hooks, the callbacks of gc, the handlers of Ctrl-C and of uncaught exceptions. Anything that model code
added beside them stays. An audit hook cannot be removed: that takes a new interpreter.
"""

from __future__ import annotations

import builtins
import gc
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from operator import call
from typing import Any

_MONITORING_TOOLS = 6
_SWITCHES = ("excepthook", "unraisablehook", "displayhook", "breakpointhook", "meta_path", "path_hooks")


def way_back() -> Callable[[], object]:
    """The call that sets the interpreter back to its present state.

    It starts no Python function: a trace function, a monitoring callback or a changed builtin of the model would run
    first otherwise, and could keep it from running at all.
    """
    return partial(deque, map(call, [*_watchers(), *_names()]), 0)


def _watchers() -> Iterator[Callable[[], object]]:
    """Observers of each call; tools of `sys.monitoring` that are in use already stay."""
    monitoring: Any = getattr(sys, "monitoring", None)  # from Python 3.12 on
    if monitoring is not None:
        for tool in range(_MONITORING_TOOLS):
            if monitoring.get_tool(tool) is None:
                yield from _without_callbacks(monitoring, tool)
                yield partial(monitoring.free_tool_id, tool)
    yield partial(sys.settrace, sys.gettrace())
    yield partial(sys.setprofile, sys.getprofile())


def _without_callbacks(monitoring: Any, tool: int) -> Iterator[Callable[[], object]]:
    """Takes away the tool's callbacks: before Python 3.14 they are called even when its number was given up."""
    if sys.version_info < (3, 14):
        for event in vars(monitoring.events).values():
            if event > 0:
                yield partial(monitoring.register_callback, tool, event, None)


def _names() -> Iterator[Callable[[], object]]:
    names = vars(builtins)
    yield partial(names.update, dict(names))
    for name in _SWITCHES:
        yield partial(setattr, sys, name, getattr(sys, name))
    for hooks in (sys.meta_path, sys.path_hooks, gc.callbacks):
        yield partial(hooks.__setitem__, slice(None), list(hooks))
    yield gc.enable if gc.isenabled() else gc.disable
    handler = signal.getsignal(signal.SIGINT)
    if may_set_signals() and handler is not None:
        yield partial(signal.signal, signal.SIGINT, handler)


def may_set_signals() -> bool:
    """Whether this is the main thread: in any other nobody can change a handler, nor put one back."""
    try:
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
    except (ValueError, TypeError):
        return False
    return True
