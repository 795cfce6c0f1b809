"""Surroundings: the process around a running block: its streams, its warnings, Ctrl-C.

In: the interpreter as a program has it. Out: the same as at a prompt while a block runs, afterwards as it was. Blocks
may run in several threads at once, each with its own output.
"""

from __future__ import annotations

import signal
import sys
import warnings
from _thread import allocate_lock, get_ident
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .block_source import classes_found
from .errors import RunStopped
from .interpreter_state import may_set_signals
from .output import DESCRIPTORS, NoInput, Output, Stream


@contextmanager
def stopped_by_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C stop the run, where Python's own handler would raise as model code may."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not may_set_signals():
        yield
        return
    signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _stop(number: int, frame: object) -> None:
    raise RunStopped


class _Interpreter:
    """The interpreter's own state around blocks: the first of several at once saves it, the last puts it back."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._running = 0
        self._stack = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._save()

    def __exit__(self, *fault: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._stack.close()

    def _save(self) -> None:
        stack = self._stack
        stack.callback(sys.setrecursionlimit, sys.getrecursionlimit())
        stack.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
        stack.callback(sys.modules.__setitem__, "__main__", sys.modules["__main__"])
        for name in ("stdin", "stdout", "stderr"):
            stack.callback(setattr, sys, name, getattr(sys, name))
        stack.enter_context(warnings_shown())
        stack.enter_context(classes_found())
        sys.unraisablehook = sys.__unraisablehook__


INTERPRETER = _Interpreter()


STDOUT, STDERR = Stream("<stdout>"), Stream("<stderr>")
"""The streams of all REPLs; each thread's text goes to the block that it runs."""


@contextmanager
def written_to(output: Output) -> Iterator[None]:
    """Take the text that this thread prints; a block within a block has its own."""
    thread = get_ident()
    outer, before = STDOUT.outputs.get(thread), (sys.stdin, sys.stdout, sys.stderr)
    STDOUT.outputs[thread] = STDERR.outputs[thread] = output
    sys.stdin, sys.stdout, sys.stderr = NoInput(), STDOUT, STDERR
    DESCRIPTORS.begin()
    try:
        yield
    finally:
        DESCRIPTORS.end(output)
        if outer is None:
            del STDOUT.outputs[thread], STDERR.outputs[thread]
        else:
            STDOUT.outputs[thread] = STDERR.outputs[thread] = outer
            sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Show warnings as text on stderr, as a prompt does; never as exceptions."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = _show_warning
        yield


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    sys.stderr.write(f"{filename}:{lineno}: {category.__name__}: {message}\n")
