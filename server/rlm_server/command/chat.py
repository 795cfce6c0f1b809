"""Chat: questions from the terminal, one after another, over one REPL in a headless browser.

In: lines of stdin; an empty one is passed over, and the end of stdin ends the chat. A line that begins with `/py` is
Python for the REPL, and `/vars` lists its variables: no model is asked. Out: answers on stdout, progress on stderr, and
the conversation in a file, from which a later process continues it. Ctrl-C ends the chat; a question that is at work is
stopped first, and leaves its partial answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlm_core import ConfigError

from ..headless.own_server import own_server
from ..headless.visible_text import visible
from .chat_log import KeptQuestion, kept_questions
from .exit_status import FAULT, FINAL, reported, status_of
from .limit_flags import chosen_limits, limit_options
from .outputs import EventLog, probe
from .printing import print_result, say_checks, say_folders
from .stop_signals import StopSignals

if TYPE_CHECKING:
    from rlm_core.value_text import Variable

    from ..headless.browser_rlm import BrowserRLM, Session
    from ..headless.execution import Execution

CONTEXT_PATH = click.Path(exists=True, readable=True, path_type=Path)
RECORD_PATH = click.Path(dir_okay=False, writable=True, path_type=Path)
CONVERSATION = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
PROMPT = "\n> "
READ_BYTES = 1 << 16
SHOWN_NAMES = 5
ASK_FIRST = "  Ask a question first: the context comes with it."


@click.command()
@click.option("--context", "paths", multiple=True, type=CONTEXT_PATH, help="A file or folder; may be repeated.")
@click.option("--model", help="Model of the iterations, as provider:name.")
@click.option("--sub-model", help="Model of the sub-calls; default: the same.")
@click.option(
    "--direct", is_flag=True, help="One call over the whole context for each question, where it fits the window."
)
@click.option("--verbose", is_flag=True, help="Show code and output of each iteration, as `run` does.")
@click.option("--record", type=RECORD_PATH, help="Write the conversation here, each event as it happens.")
@click.option(
    "--resume", type=CONVERSATION, help="Continue the conversation of this file, over the same context; it grows there."
)
@limit_options
def chat(
    paths: tuple[Path, ...],
    model: str | None,
    sub_model: str | None,
    direct: bool,
    verbose: bool,
    record: Path | None,
    resume: Path | None,
    **limits: float | None,
) -> None:
    """Ask questions over the context, one a line, in one session: variables and earlier answers stay.

    A line "/py CODE" runs Python of yours in the same REPL, and "/vars" lists its variables: no model is asked.
    Ctrl-D ends the chat, and so does Ctrl-C, which stops the question that is at work and prints its partial answer.
    Limits are those of each question. With --resume, variables and answers are rebuilt from the record, and no model is
    asked for that; a question that was cut off continues first.
    """
    arguments: dict[str, Any] = {"model": model, "sub_model": sub_model, **chosen_limits(limits)}
    chosen = {name: value for name, value in arguments.items() if value is not None}
    with reported(), StopSignals() as signals:
        kept = [] if resume is None else kept_questions(resume)
        if kept:
            _check_context(kept[0], paths)
            chosen.setdefault("model", kept[0].model)
        if record is not None:
            probe(record, "--record")
        say_folders(paths)
        status = asyncio.run(
            _Chat(paths, signals, kept, record or resume, verbose=verbose, direct=direct).converse(chosen)
        )
    sys.exit(status)


def _check_context(first: KeptQuestion, paths: tuple[Path, ...]) -> None:
    if first.contexts and not paths:
        names = ", ".join(first.contexts[:SHOWN_NAMES])
        more = f" and {len(first.contexts) - SHOWN_NAMES:,} more" if len(first.contexts) > SHOWN_NAMES else ""
        raise ConfigError(f"--resume: the conversation is over {names}{more}. Give it again with --context.")


class _Chat:
    """A chat that is under way; its exit status is that of the last question."""

    def __init__(
        self,
        paths: tuple[Path, ...],
        signals: StopSignals,
        kept: Sequence[KeptQuestion],
        record: Path | None,
        *,
        verbose: bool,
        direct: bool,
    ) -> None:
        self._paths = paths
        self._earlier = [question.log for question in kept if question.is_ended]
        self._cut_off = next((question for question in kept if not question.is_ended), None)
        self._log = EventLog(record, self._earlier)
        self._signals = signals
        self._verbose = verbose
        self._direct = direct
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unread = b""

    async def converse(self, arguments: dict[str, Any]) -> int:
        from ..headless.browser_rlm import for_one_run

        self._loop = asyncio.get_running_loop()
        status, is_first = FINAL, not self._earlier
        async with for_one_run(own_server()) as rlm, self._session(rlm, arguments) as session:
            while (question := await self._question()) is not None:
                if self._cut_off is None and (code := entry_of(question)) is not None:
                    status = FINAL if is_first else await self._execute(session, code)
                    if is_first:
                        click.echo(ASK_FIRST, err=True)
                else:
                    status, is_first = await self._answer(session, question, self._more(is_first)), False
                if self._signals.status is not None or sys.stdout is None:
                    break
        return status

    def _more(self, is_first: bool) -> dict[str, Any]:
        """Arguments of the next question."""
        more: dict[str, Any] = {"context": self._paths} if is_first and self._paths else {}
        if self._cut_off is not None:
            more["resume"], self._cut_off = self._cut_off.log, None
        elif self._direct:
            more["direct"] = True
        return more

    def _session(self, rlm: BrowserRLM, arguments: dict[str, Any]) -> Session:
        if not self._earlier:
            return rlm.session(**arguments)
        asked = f"{len(self._earlier):,} question{'s' * (len(self._earlier) != 1)}"
        click.echo(f"  resumed: {asked} so far; variables are rebuilt from the record.", err=True)
        return rlm.session(earlier=self._earlier, context=self._paths or None, **arguments)

    async def _question(self) -> str | None:
        """The question that was cut off; then the next line that is not empty, None at the end of stdin."""
        self._signals.stop = None
        if self._cut_off is not None:
            click.echo(f"  continued: {visible(self._cut_off.question)}", err=True)
            return self._cut_off.question
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

        stops = self._stoppable(session)
        show = self._watcher()

        def take(event: dict[str, Any]) -> None:
            self._log.take(event)
            show(event)

        try:
            result = await session.run(question, on_event=take, **context)
        except BrowserLost as lost:
            if self._signals.status is None:
                raise
            result = lost.partial  # a terminal signals the browser as well
        await asyncio.gather(*stops, return_exceptions=True)
        is_printed = print_result(result, False)
        is_kept = self._log.finish(result.trajectory)
        say_checks(result)
        return status_of(result, self._signals) if is_printed and is_kept else FAULT

    async def _execute(self, session: Session, code: str) -> int:
        """Run the person's code, or list the variables where there is none."""
        from ..headless.page import BrowserLost

        stops = self._stoppable(session)
        is_kept = True
        try:
            if code:
                execution = await session.execute(code)
                is_kept, lines = self._log.finish(execution.trajectory), entry_lines(execution)
            else:
                lines = variable_lines(await session.variables())
        except BrowserLost:
            if self._signals.status is None:
                raise
            lines = []  # a terminal signals the browser as well
        await asyncio.gather(*stops, return_exceptions=True)
        for line in lines:
            click.echo(visible(line))
        return self._signals.status or (FINAL if is_kept else FAULT)

    def _stoppable(self, session: Session) -> list[asyncio.Future[None]]:
        """From now on a signal stops what the session is at; the stops that came are in the list."""
        loop, stops = self._loop, list[asyncio.Future[None]]()
        assert loop is not None, "it is set before the first question"
        self._signals.stop = lambda: loop.call_soon_threadsafe(
            lambda: stops.append(asyncio.ensure_future(session.stop()))
        )
        return stops

    def _watcher(self) -> Callable[[dict[str, Any]], None]:
        from ..headless.progress import Progress

        if self._verbose:
            return Progress(sys.stderr.write, is_terminal=sys.stderr.isatty())
        return _say_iteration


def entry_of(line: str) -> str | None:
    """The code of a `/py` line, `""` for `/vars`, `None` for a question.

    >>> entry_of("/py print(1)"), entry_of("/vars"), entry_of("/python, what is it?")
    ('print(1)', '', None)
    """
    command, _, rest = line.partition(" ")
    if command == "/py" and rest.strip():
        return rest.strip()
    return "" if line in ("/vars", "/py") else None


def entry_lines(execution: Execution) -> list[str]:
    """What code printed, its last value, its error, and how much it displayed, which a terminal cannot."""
    shown = len(execution.shown)
    values = "value" if shown == 1 else "values"
    parts = [
        execution.stdout.removesuffix("\n"),
        execution.value or "",
        f"({shown} displayed {values}: the page shows them)" if shown else "",
        (execution.error or "").rstrip(),
    ]
    return [part for part in parts if part]


def variable_lines(variables: Sequence[Variable]) -> list[str]:
    """A line for each variable: name, type, size, preview.

    >>> variable_lines([{"name": "x", "type": "int", "size": "", "preview": "1"}])
    ['x: int = 1']
    """
    return [
        f"{each['name']}: {each['type']}{each['size'] and ', '}{each['size']} = {each['preview']}" for each in variables
    ]


def _settle(line: asyncio.Future[bytes], read: bytes) -> None:
    if not line.done():
        line.set_result(read)


def _say_iteration(event: dict[str, Any]) -> None:
    """One line for each iteration of the root run, and for what the host has to say."""
    if event["type"] == "iteration_started" and not event.get("path"):
        click.echo(f"  iteration {event['iteration']} ({event['seconds']:.1f} s)", err=True)
    elif event["type"] == "notice" and event.get("code") is not None and event["code"] != "worker_ready":
        click.echo(f"  note: {visible(event['text'])}", err=True)
