"""Faults: an exception of model code -> the text that the model is shown.

In: the exception that ended a block. Out: its traceback with the model's own lines and none of this package's, of
bounded length, with a hint where the cause lies in this REPL and not in Python.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from itertools import dropwhile

from . import documents
from .output import cut

MAX_FRAMES = 24
"""Frames shown of one traceback: as many of the outermost as of the innermost."""

_OURS = os.path.dirname(cut.__code__.co_filename)


def render(fault: BaseException, *, max_chars: int) -> str:
    """The traceback of `fault` as Python would print it, less our frames, and a hint."""
    if isinstance(fault, SystemExit):
        return f"SystemExit: {fault.code!r}\nsys.exit() ended this block; the REPL and its names are still there."
    try:
        shown = traceback.TracebackException.from_exception(fault)
        for part in _chain(shown):
            part.stack = _model_frames(part.stack)
        text = "".join(shown.format() if shown.stack else shown.format_exception_only()).rstrip("\n")
    except Exception as broken:  # noqa: BLE001 - the exception's own methods are model code and may do anything
        text = f"{type(fault).__name__} (it cannot be shown: rendering it raised {type(broken).__name__})"
    hint = _hint(fault)
    return cut(text, max_chars) + (f"\nHint: {hint}" if hint else "")


def _chain(shown: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """`shown`, the exceptions that led to it and those in its group."""
    waiting: list[traceback.TracebackException | None] = [shown]
    while waiting:
        part = waiting.pop()
        if part is not None:
            yield part
            waiting += [part.__cause__, part.__context__, *(part.exceptions or ())]


def _model_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    """The frames of model code and below it, without ours and the libraries that ours called to compile it."""
    is_ours = [os.path.dirname(frame.filename) == _OURS for frame in stack]
    frames = [frame for frame, ours in zip(stack, is_ours, strict=True) if not ours]
    if is_ours[:1] == [True]:
        frames = list(dropwhile(lambda frame: not frame.filename.startswith("<"), frames))
    if len(frames) > MAX_FRAMES:
        left_out = traceback.FrameSummary(f"[... {len(frames) - MAX_FRAMES} frames not shown ...]", 0, "", line="")
        frames[MAX_FRAMES // 2 : -MAX_FRAMES // 2] = [left_out]
    return traceback.StackSummary.from_list(frames)


_ASYNC = (
    "llm_query and llm_batch are ordinary functions: call them without `await`. Coroutines of your own run inside one "
    "call: asyncio.run(main())."
)


def _hint(fault: BaseException) -> str:
    if isinstance(fault, SyntaxError):
        line = (fault.text or "").lstrip()
        if "'await' outside" in str(fault) or "outside async function" in str(fault):
            return _ASYNC
        if "FINAL(" in line or "FINAL_VAR(" in line:
            return 'in a block FINAL is a Python function: FINAL("text"), FINAL(variable) or FINAL_VAR("name").'
        if line.startswith(("!", "%")):
            return "a block is plain Python, without commands of a shell or a notebook; nothing can be installed."
        if line.startswith(">>>"):
            return "write the code alone, without prompts and without its output."
    if isinstance(fault, TypeError) and "awaitable is required" in str(fault):
        return "llm_query answers at once, without `await`; llm_batch(prompts) runs its calls in parallel."
    if isinstance(fault, TypeError) and "await" in str(fault):
        return _ASYNC
    if isinstance(fault, RuntimeError) and "no running event loop" in str(fault):
        return _ASYNC
    if isinstance(fault, RuntimeError) and "can't start new thread" in str(fault):
        return _NO_THREADS
    if sys.platform == "emscripten":
        return _hint_on_platform(fault)
    return ""


_NO_THREADS = "there are no threads here; llm_batch(prompts) runs its calls in parallel."
_NO_PROCESSES = (
    "there are no processes here: do it in Python in this block; llm_batch(prompts) runs its calls in parallel."
)
_NO_NETWORK = "there is no network here: `context` holds all the data, and llm_query(prompt) asks a model."
_MISSING = {
    "multiprocessing": _NO_PROCESSES,
    "_multiprocessing": _NO_PROCESSES,
    "_posixshmem": _NO_PROCESSES,
    "_posixsubprocess": _NO_PROCESSES,
    "subprocess": _NO_PROCESSES,
    "concurrent": _NO_PROCESSES,
    "shelve": "there is no dbm here: keep values in variables, or use sqlite3 or pickle.",
    "dbm": "there is no dbm here: keep values in variables, or use sqlite3 or pickle.",
    "socket": _NO_NETWORK,
    "ssl": _NO_NETWORK,
    "_ssl": _NO_NETWORK,
    "requests": _NO_NETWORK,
    "httpx": _NO_NETWORK,
    "urllib3": _NO_NETWORK,
    "urllib": _NO_NETWORK,
    "http": _NO_NETWORK,
}
"""Modules that are not there in the browser, or do nothing there, with the remedy."""
_FAILURES = (ImportError, OSError, NotImplementedError, RuntimeError, AttributeError)


def _hint_on_platform(fault: BaseException) -> str:
    """A hint on what a browser's Python does not have."""
    if isinstance(fault, AttributeError) and re.search(
        r"'signal' has no attribute '(alarm|setitimer|pause)'", str(fault)
    ):
        return "there are no timers by signal here: a block has a deadline of its own; use time.monotonic() in a loop."
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(fault.__traceback__)]
    if isinstance(fault, ModuleNotFoundError) and fault.name:
        names.append(fault.name)
    if isinstance(fault, _FAILURES):
        for name in reversed(names):
            if remedy := _MISSING.get(str(name).partition(".")[0]):
                return remedy
    if isinstance(fault, ModuleNotFoundError):
        extra = "".join(f", {name}" for name in documents.packages())
        return f"{fault.name} is not here, and nothing can be installed: use the standard library{extra}."
    return ""
