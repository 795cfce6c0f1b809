"""Chat: questions from the terminal, one after another, over one REPL in a headless browser.

In: lines of stdin; an empty one is passed over, and the end of stdin ends the chat. Out: answers on stdout, progress on
stderr. Ctrl-C ends the chat; a question that is at work is stopped first, and leaves its partial answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..headless.visible_text import visible
from .exit_status import FAULT, FINAL, reported, status_of
from .limit_flags import chosen_limits, limit_options
from .own_server import own_server
from .printing import print_result, say_checks, say_folders
from .stop_signals import StopSignals

if TYPE_CHECKING:
    from ..headless.browser_rlm import Session

CONTEXT_PATH = click.Path(exists=True, readable=True, path_type=Path)
PROMPT = "\n> "
READ_BYTES = 1 << 16


@click.command()
@click.option("--context", "paths", multiple=True, type=CONTEXT_PATH, help="A file or folder; may be repeated.")
@click.option("--model", help="Model of the iterations, as provider:name.")
@click.option("--sub-model", help="Model of the sub-calls; default: the same.")
@click.option("--verbose", is_flag=True, help="Show code and output of each iteration, as `run` does.")
@limit_options
def chat(
    paths: tuple[Path, ...], model: str | None, sub_model: str | None, verbose: bool, **limits: float | None
) -> None:
    """Ask questions over the context, one a line, in one session: variables and earlier answers stay.

    Ctrl-D ends the chat, and so does Ctrl-C, which stops the question that is at work and prints its partial answer.
    Limits are those of each question.
    """
    arguments: dict[str, Any] = {"model": model, "sub_model": sub_model, **chosen_limits(limits)}
    chosen = {name: value for name, value in arguments.items() if value is not None}
    with reported(), StopSignals() as signals:
        say_folders(paths)
        status = asyncio.run(_Chat(paths, signals, verbose).converse(chosen))
    sys.exit(status)


class _Chat:
    """A chat that is under way; its exit status is that of the last question."""

    def __init__(self, paths: tuple[Path, ...], signals: StopSignals, verbose: bool) -> None:
        self._paths = paths
        self._signals = signals
        self._verbose = verbose
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unread = b""

    async def converse(self, arguments: dict[str, Any]) -> int:
        from ..headless.browser_rlm import for_one_run

        self._loop = asyncio.get_running_loop()
        status, is_first = FINAL, True
        async with for_one_run(own_server(0)) as rlm, rlm.session(**arguments) as session:
            while (question := await self._question()) is not None:
                context = {"context": self._paths} if is_first and self._paths else {}
                status, is_first = await self._answer(session, question, context), False
                if self._signals.status is not None or sys.stdout is None:
                    break
        return status

    async def _question(self) -> str | None:
        """The next line that is not empty; None at the end of stdin."""
        self._signals.stop = None
        assert self._loop is not None, "it is set before the first question"
        while True:
            if sys.stdin.isatty():
                click.echo(PROMPT, nl=False, err=True)
            line: asyncio.Future[bytes] = self._loop.create_future()
            threading.Thread(target=self._read, args=(line,), daemon=True, name="chat-stdin").start()
            read = await line
            if read == b"":
                return None
            if question := read.decode(sys.stdin.encoding, "replace").strip():
                return question

    def _read(self, line: asyncio.Future[bytes]) -> None:
        """Read a line in a thread: while a person thinks, the browser is heard.

        The thread is a daemon, since a read cannot be ended, and reads the descriptor: Python's own reader would hold a
        lock that the end of the process waits for.
        """
        while b"\n" not in self._unread and (piece := os.read(sys.stdin.fileno(), READ_BYTES)):
            self._unread += piece
        end = self._unread.find(b"\n") + 1 or len(self._unread)
        read, self._unread = self._unread[:end], self._unread[end:]
        assert self._loop is not None, "it is set before the first question"
        self._loop.call_soon_threadsafe(_settle, line, read)

    async def _answer(self, session: Session, question: str, context: dict[str, Any]) -> int:
        from ..headless.page import BrowserLost

        loop, stops = self._loop, list[asyncio.Future[None]]()
        assert loop is not None, "it is set before the first question"
        self._signals.stop = lambda: loop.call_soon_threadsafe(
            lambda: stops.append(asyncio.ensure_future(session.stop()))
        )
        try:
            result = await session.run(question, on_event=self._watcher(), **context)
        except BrowserLost as lost:
            if self._signals.status is None:
                raise
            result = lost.partial  # a terminal signals the browser as well
        await asyncio.gather(*stops, return_exceptions=True)
        is_printed = print_result(result, False)
        say_checks(result)
        return status_of(result, self._signals) if is_printed else FAULT

    def _watcher(self) -> Callable[[dict[str, Any]], None]:
        from ..headless.progress import Progress

        if self._verbose:
            return Progress(sys.stderr.write, is_terminal=sys.stderr.isatty())
        return _say_iteration


def _settle(line: asyncio.Future[bytes], read: bytes) -> None:
    if not line.done():
        line.set_result(read)


def _say_iteration(event: dict[str, Any]) -> None:
    """One line for each iteration of the root run, and for what the host has to say."""
    if event["type"] == "iteration_started" and not event.get("path"):
        click.echo(f"  iteration {event['iteration']} ({event['seconds']:.1f} s)", err=True)
    elif event["type"] == "notice" and event.get("code") is not None and event["code"] != "worker_ready":
        click.echo(f"  note: {visible(event['text'])}", err=True)
