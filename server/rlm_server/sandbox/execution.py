"""Execution: how a piece of code went in the sandbox, and the observation that it is read from.

In: code, as blocks of a run whose root model is `ChosenCode`. Out: the observation of its last block. An error of code
is a value; an `RLMError` says that nothing ran, or that the browser is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError

from .chosen_code import ChosenCode

if TYPE_CHECKING:
    from ..headless.browser_rlm import Session


class EndExecution(Exception):
    """Raised by a tool of the host: the code that called it ends there, without an error.

    Attributes:
        answer: kept as `Execution.answer`.
    """

    def __init__(self, answer: Any = None) -> None:
        super().__init__("the code ends here.")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome of one `execute`.

    Attributes:
        stdout: output, stderr too, in the order written; of a long one head and tail. `stdout_chars` counts all of it.
        value: `repr` of the last expression's value, `None` where there is none; of a long one head and tail.
        result: the same value as JSON has it, `None` where it is not JSON or longer than 4,000,000 characters.
        error: traceback, or the reason why the code was ended; `None`: it ran to its end.
        kind: class of the exception (`"ZeroDivisionError"`), `"TimeoutError"`, or `"WorkerLost"`.
        args: arguments of the exception, as far as they are JSON.
        is_lost: the interpreter was replaced: the names that this code bound are gone, those of the code before it
            are rebuilt. Otherwise all names stay, also those that were bound before an error or a time-out.
        is_ended: a tool ended it, by `EndExecution`.
        answer: of that tool.
        seconds: time at work, its tools included.
    """

    stdout: str = ""
    stdout_chars: int = 0
    value: str | None = None
    result: Any = None
    error: str | None = None
    kind: str | None = None
    args: tuple[Any, ...] = ()
    is_lost: bool = False
    is_ended: bool = False
    answer: Any = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Observed:
    """Observation of a block, whether its time was up, and whether its interpreter was replaced."""

    observation: Mapping[str, Any]
    has_timed_out: bool
    is_lost: bool


async def observed(session: Session, code: ChosenCode, *blocks: str, context: object = None) -> Observed:
    """Run `blocks` in the REPL of `session`, whose root model is `code`.

    Args:
        context: files or a value; without one the context before stays.

    Returns:
        The last block that ran.

    Raises:
        ConfigError: none of them ran; the message has the reason.
        BrowserLost: the browser ended meanwhile, and the REPL with it.
        RLMError: the page failed.
    """
    seen: dict[int, Observed] = {}

    def on_event(event: Mapping[str, Any]) -> None:
        if event["type"] == "block_finished" and not event["path"] and event.get("iteration", 1) == 1:
            has_timed_out = event.get("stopped") == "timed_out"
            seen[event.get("block", 0)] = Observed(event["observation"], has_timed_out, bool(event.get("lost")))

    with code.named(*blocks) as question:
        result = await session.run(question, context=context, on_event=on_event)
    if not seen:
        raise ConfigError(result.detail or "the code did not run.")
    return seen[max(seen)]
