"""Sandbox: the contained worker as a Python executor for other agents.

In: code, with variables and tools. Out: an `Execution`. It runs in the worker of a headless browser, as model code
does: no network, no storage, no files of this machine; its names stay from one call to the next. No model is asked.
Tools are functions of this process, and run in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from rlm_core import ConfigError, RLMError

from ..headless.arguments import RLMArguments, parsed
from ..headless.temporary import temporary_folder
from .chosen_code import MODEL, ChosenCode
from .execution import Execution, Observed, observed
from .host_half import NAME, START, STEP, STEP_WITH_FILES, Functions, HostHalf

if TYPE_CHECKING:
    from ..headless.browser_rlm import BrowserRLM, Session

LOOPBACK = "127.0.0.1"
TIME_OUT = 120.0
MAX_CHARS = 20_000


class Sandbox:
    """A Python prompt that other agents' code runs in; one piece of code at a time, further ones wait.

    Args:
        files: files and folders that the code finds, read-only, in `context` and under `/context`.
        tools: name -> function or coroutine function of this process, found by all code.
        timeout: seconds that one piece of code may work, calls of its tools not counted.
        max_output_chars: most characters kept of its output, of its value and of its traceback, each.
        packages: of those that `pyodide-rlm packages add` has put beside the server.
        containment: least level at which code may run; see SECURITY.md.

    >>> async def main():  # doctest: +SKIP
    ...     async with Sandbox(tools={"price": lambda name: 3}) as sandbox:
    ...         await sandbox.execute("total = price('milk') * n", {"n": 2})
    ...         print((await sandbox.execute("total")).result)  # 6

    Raises:
        ConfigError: an argument is impossible.
    """

    def __init__(
        self,
        files: Path | Sequence[Path] = (),
        *,
        tools: Functions | None = None,
        timeout: float = TIME_OUT,
        max_output_chars: int = MAX_CHARS,
        packages: Sequence[str] | None = None,
        containment: Literal["full", "network", "weak"] | None = None,
    ) -> None:
        self._files = (files,) if isinstance(files, Path) else tuple(files)
        self._tools = dict(tools or {})
        self._options: dict[str, Any] = {
            "block_timeout": timeout,
            "max_output_chars": max_output_chars,
            "packages": packages,
            "containment": containment,
        }
        parsed(self._options, RLMArguments)
        self._max_chars = max_output_chars
        self._code = ChosenCode()
        self._folder = ExitStack()
        self._rlm: BrowserRLM | None = None
        self._session: Session | None = None
        self._half: HostHalf
        self._turn = asyncio.Lock()
        self._has_started = False

    def __repr__(self) -> str:
        return f"<Sandbox, {'closed' if self._rlm is None else 'open'}>"

    async def __aenter__(self) -> Sandbox:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def execute(
        self, code: str, variables: Mapping[str, Any] | None = None, tools: Functions | None = None
    ) -> Execution:
        """Run `code` after the code before it; whatever it does is in the result. A task that is cancelled stops it.

        Args:
            variables: name -> JSON value, bound before.
            tools: name -> function, beside those of the sandbox and for this call alone.

        Raises:
            ConfigError: it is not open, or a variable or a tool is impossible; nothing ran.
            BrowserLost: the browser ended meanwhile, and the names with it; `reset` begins anew.
            RLMError: the page failed.
        """
        self._opened()
        self._half.check_outside()
        async with self._turn:
            session, half = self._opened(), self._half
            paths = await asyncio.to_thread(half.begin, code, variables or {}, {**self._tools, **(tools or {})})
            try:
                if not self._has_started:
                    await observed(session, self._code, START, context=self._files or {})
                    self._has_started = True
                seen = await observed(session, self._code, STEP_WITH_FILES if paths else STEP, context=paths or None)
            except BaseException:
                half.forget()
                raise
            return _execution(half, seen)

    async def reset(self) -> None:
        """Begin anew: no name is left, the files are there, and what was at work is over. A lost browser is replaced.

        Raises:
            RLMError: the browser does not start.
        """
        async with self._turn:
            session = self._opened()
            try:
                await session.close()
            except RLMError:  # the browser is lost
                await self._close()
                await self._open()
            else:
                self._begin()

    async def close(self) -> None:
        """End it, and the browser; code that is at work is stopped."""
        if self._session is not None:
            with suppress(RLMError):  # a browser that is lost has ended it
                await self._session.close()
        await self._close()

    async def _open(self) -> None:
        from ..headless.browser_rlm import rlm_over

        self._rlm = await rlm_over(serving_code(self._code)).__aenter__()
        self._begin()

    def _begin(self) -> None:
        """Begin the session of a fresh worker."""
        assert self._rlm is not None, "the browser is open"
        self._folder.close()
        folder = self._folder.enter_context(temporary_folder())
        self._half, self._has_started = HostHalf(self._max_chars, folder), False
        self._session = self._rlm.session(model=MODEL, sub_model=MODEL, tools={NAME: self._half.call}, **self._options)

    async def _close(self) -> None:
        rlm, self._rlm, self._session = self._rlm, None, None
        if rlm is not None:
            await rlm.__aexit__(None, None, None)
        self._folder.close()

    def _opened(self) -> Session:
        if self._session is None:
            raise ConfigError("Sandbox is not open: use it in `async with Sandbox() as sandbox:`.")
        return self._session


def _execution(half: HostHalf, seen: Observed) -> Execution:
    """The outcome that the code reported, or the reason why it could not."""
    outcome, observation = half.outcome, seen.observation
    output = {name: observation[name] for name in ("stdout", "stdout_chars", "seconds")}
    if outcome is None or seen.is_lost:
        half.forget()
        kind = "WorkerLost" if seen.is_lost else "TimeoutError" if seen.has_timed_out else None
        error = observation["error"] or "the code's end was not reported: run it again, or reset the sandbox."
        return Execution(**output, error=error, kind=kind, is_lost=seen.is_lost)
    if half.ended is not None:
        return Execution(**output, is_ended=True, answer=half.ended.answer)
    args = _parsed(outcome.get("args"))
    return Execution(
        **output,
        value=_text(outcome.get("value")),
        result=_parsed(outcome.get("json")),
        error=_text(outcome.get("error")),
        kind=_text(outcome.get("kind")),
        args=tuple(args) if isinstance(args, list) else (),
    )


def _text(value: object) -> str | None:
    """A text that the contained half reported; it is untrusted, and may report anything."""
    return value if isinstance(value, str) else None


def _parsed(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


@contextmanager
def serving_code(code: ChosenCode) -> Iterator[str]:
    """A server of this process that has no provider but `code`, no budget and no record."""
    from ..http.app import create_app
    from ..http.serving import serving
    from ..settings import load_settings

    settings = load_settings(host=LOOPBACK, port=0).unguarded()
    budgets = {
        name: None for name in type(settings).model_fields if name.startswith(("max_run_", "max_start_", "max_day_"))
    }
    alone = {"models": (MODEL,), "default_model": "", "config": None, "store_path": None, "audit_log": "", **budgets}
    with serving(create_app(settings.model_copy(update=alone), providers=(code,)), host=LOOPBACK, port=0) as url:
        yield url
