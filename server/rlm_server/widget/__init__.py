"""Widget: an RLM in a notebook's own browser, over the kernel's data, without a headless one.

    from rlm_server.widget import Ask
    w = Ask("How many errors?", context=Path("app.log"))
    w                     # runs in the cell's output
    w.result.answer       # in a later cell

In: a question, a context and the arguments of a run. Out: a result, as of `BrowserRLM`. Everything between notebook and
kernel goes through the widget's own messages: no port is opened, and keys stay in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlm_core import RLMError

if TYPE_CHECKING:
    from .ask import Ask

__all__ = ["Ask"]


def __getattr__(name: str) -> object:
    """The widget, which alone needs anywidget.

    Raises:
        RLMError: anywidget is not installed.
    """
    if name != "Ask":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import anywidget  # noqa: F401 - here for its error, later by name
    except ImportError as missing:
        raise RLMError("anywidget is not installed. Run `pip install 'pyodide-rlm[widget]'`.") from missing
    from .ask import Ask

    return Ask
