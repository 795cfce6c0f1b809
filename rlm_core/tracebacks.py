"""Faults: an exception of model code -> the text that the model is shown.

In: the exception that ended a block. Out: its traceback with the model's own lines and none of this package's, of
bounded length, with a hint where the cause lies in this REPL and not in Python.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator

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
    frames = [frame for frame in stack if os.path.dirname(frame.filename) != _OURS]
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
        line = fault.text or ""
        if "'await' outside" in str(fault) or "outside async function" in str(fault):
            return _ASYNC
        if "FINAL(" in line or "FINAL_VAR(" in line:
            return 'in a block FINAL is a Python function: FINAL("text"), FINAL(variable) or FINAL_VAR("name").'
    if isinstance(fault, TypeError) and "awaitable is required" in str(fault):
        return "llm_query answers at once, without `await`; llm_batch(prompts) runs its calls in parallel."
    if isinstance(fault, TypeError) and "await" in str(fault):
        return _ASYNC
    if isinstance(fault, RuntimeError) and "no running event loop" in str(fault):
        return _ASYNC
    if isinstance(fault, RuntimeError) and "can't start new thread" in str(fault):
        return "there are no threads here; llm_batch(prompts) runs its calls in parallel."
    return ""
