"""Widget: an RLM in a notebook's own browser, over the kernel's data, without a headless one.

    from rlm_server.widget import Ask
    w = Ask("How many errors?", context=Path("app.log"))
    w                     # runs in the cell's output
    w.result.answer       # in a later cell

In: a question, a context and the arguments of a run. Out: a result, as of `BrowserRLM`. Everything between notebook and
kernel goes through the widget's own messages: no port is opened, and keys stay in the kernel.
"""

from rlm_core import RLMError

try:
    import anywidget as _anywidget  # noqa: F401 - here for its error, later by name
except ImportError as missing:
    raise RLMError("anywidget is not installed. Run `pip install 'pyodide-rlm[widget]'`.") from missing

from .ask import Ask

__all__ = ["Ask"]
