"""Ask: the widget itself, a traitlets model that anywidget shows in Jupyter and marimo.

In: a question and the arguments of a run. Out: the view in the cell, and the result for later cells. The exchange with
the notebook's pages is `questions.py`; it runs in one thread for all widgets, beside the kernel's.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from typing import Any, Unpack

import anywidget
import traitlets

from rlm_core import ConfigError

from ..assets import find_assets
from ..headless.arguments import RunArguments
from ..headless.blocking import LoopThread
from ..headless.result import HeadlessResult
from .asset_files import build_of, bundle_path
from .kernel_provider import Backends
from .questions import Questions
from .requests import Requests

SIGN_SECONDS = 20.0
"""How long `done` waits for a first sign of a page."""
CLOSE_SECONDS = 5.0
NO_USE = {
    "endpoint": "model calls are answered in the kernel: set its environment, or pass provider",
    "token": "model calls are answered in the kernel, which needs none",
    "headers": "model calls are answered in the kernel: set its environment, or pass provider",
    "assets": "the kernel brings its own",
    "url": "model calls are answered in the kernel: set its environment, or pass provider",
}
IN_MARIMO = (
    "in marimo a cell that waits would wait for ever, since the notebook's messages come between cells. Write "
    "`w = mo.ui.anywidget(Ask(...))`, and read `w.result` in another cell: it runs again when the answer is there."
)
UNHEARD = (
    "no page of the notebook has answered within {seconds:.0f} s while this cell waits: the widget is not shown, or "
    "the notebook brings its messages between cells only. Show it as the last value of a cell, and read w.result in a "
    "later one, once the answer is shown. JupyterLab 4.4 with ipykernel 7, or newer, can wait."
)


class Kernel:
    """What all widgets of this process share: an event loop in a thread, and the providers."""

    def __init__(self) -> None:
        self.loop = LoopThread()
        self.backends = Backends()

    def close(self) -> None:
        """End the providers, and the calls under way, as the process ends."""
        with suppress(TimeoutError):
            self.loop.begin(self.backends.close()).result(CLOSE_SECONDS)


@lru_cache(maxsize=1)
def kernel() -> Kernel:
    """That of this process; its thread ends with it."""
    made = Kernel()
    atexit.register(made.close)
    return made


class Ask(anywidget.AnyWidget):  # type: ignore[misc]
    """A question that is answered in the notebook's own browser: model code runs contained in its page.

    Args:
        question: asked as soon as the widget is shown; without one its field waits for the person.
        arguments: those of `BrowserRLM.run`, such as `context`, `model`, `max_cost`, `tools`, `on_egress`, `provider`.
            Without a `context` the person can drop files.

    Raises:
        ConfigError: an argument is unknown or impossible.

    >>> w = Ask("How many errors?", context=Path("app.log"), max_iterations=10)  # doctest: +SKIP
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _build = traitlets.Unicode().tag(sync=True)
    _name = traitlets.Unicode().tag(sync=True)
    _has_context = traitlets.Bool().tag(sync=True)
    _shown = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    ended = traitlets.Int(0).tag(sync=True)
    """Number of questions that have ended; a page counts them, so that marimo runs the widget's other cells again."""

    def __init__(self, question: str = "", **arguments: Unpack[RunArguments]) -> None:
        _check(question, arguments)
        assets = find_assets()
        self._questions = Questions(arguments, self._to_pages, kernel().backends, on_ended=self._save)
        self._requests = Requests(self._questions.answer, self._to_pages)
        self._is_heard = threading.Event()
        self._saved: Any = None
        super().__init__(
            question=question,
            _esm=bundle_path(assets).read_text(encoding="utf-8"),
            _build=build_of(assets),
            _name=uuid.uuid4().hex,
            _has_context=arguments.get("context") is not None,
        )
        self.on_msg(self._take)
        if question:
            self.ask(question)

    def __repr__(self) -> str:
        return f"<Ask {self.question[:60]!r}, {self._state()}>"

    @property
    def result(self) -> HeadlessResult | None:
        """The result of the last question; `None` while it is at work, and before there is one.

        Raises:
            RLMError: the question could not be answered.
        """
        asked = self._questions.current
        return asked.ended.result() if asked is not None and asked.ended.done() else None

    async def done(self) -> HeadlessResult:
        """Wait for the result; a task that is cancelled leaves the question at work.

        Raises:
            ConfigError: there is no question, or the notebook brings no messages while a cell waits.
            RLMError: the question could not be answered.
        """
        asked = self._questions.current
        if asked is None:
            raise ConfigError("there is no question yet: ask one.")
        ended = asyncio.wrap_future(asked.ended)
        if not ended.done():
            await self._check_waiting()
        return await asyncio.shield(ended)

    def ask(self, question: str) -> None:
        """Ask a question, over the same context and with the same arguments.

        Raises:
            ConfigError: the one before is at work, or this one is empty.
        """
        self.question = question
        kernel().loop.wait(self._questions.ask(question))

    def stop(self) -> None:
        """Stop the question at work; its result is then the partial one."""
        kernel().loop.wait(self._questions.stop())

    def close(self) -> None:
        """End the widget: its views go, and its worker ends."""
        kernel().loop.wait(self._questions.close())
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None and self._saved is None and _is_jupyter():
            from IPython.display import HTML, display

            self._saved = display(HTML(self._saved_html()), display_id=True)
        return bundle

    def _save(self) -> None:
        """Keep the answer in the notebook's file; the view hides it while it is there."""
        if self._saved is not None:
            from IPython.display import HTML

            self._saved.update(HTML(self._saved_html()))

    def _saved_html(self) -> str:
        asked = self._questions.current
        if asked is None or not asked.ended.done():
            return ""
        fault = asked.ended.exception()
        shown = asked.ended.result()._repr_html_() if fault is None else f"<p>{escape(str(fault))}</p>"
        return f'<div data-rlm-saved="{self._name}"><p><b>{escape(asked.question)}</b></p>{shown}</div>'

    def _state(self) -> str:
        asked = self._questions.current
        if asked is None:
            return "no question yet"
        return "ended" if asked.ended.done() else "at work" if asked.page else "waits for a page"

    async def _check_waiting(self) -> None:
        """Refuse to wait where no message would come meanwhile."""
        marimo = sys.modules.get("marimo")
        if marimo is not None and marimo.running_in_notebook():
            raise ConfigError(IN_MARIMO)
        self._is_heard.clear()
        self._to_pages({"command": "ping"}, [])
        if not await asyncio.to_thread(self._is_heard.wait, SIGN_SECONDS):
            raise ConfigError(UNHEARD.format(seconds=SIGN_SECONDS))

    def _take(self, widget: object, content: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        """A message of a page, in the thread that the notebook has for it."""
        self._is_heard.set()
        kernel().loop.begin(self._requests.take(content))

    def _to_pages(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        self.send(content, [*buffers])


def _check(question: object, arguments: Mapping[str, object]) -> None:
    if not isinstance(question, str):
        raise ConfigError(f"question must be text, not {question!r:.60}.")
    for name in arguments:
        if name in NO_USE:
            raise ConfigError(f"{name} is of no use here: {NO_USE[name]}.")


def _is_jupyter() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
