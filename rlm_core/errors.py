"""Errors: every exception this project raises on purpose.

    RLMError                      catch one, catch all
      ConfigError                 impossible argument; nothing ran
      ProviderError               .type .retryable .status .upstream
      LimitReached                .limit .used .allowed
      RunCancelled                the user pressed stop
      ChannelError                worker and host lost touch
      ProtocolError               malformed message: our bug
      ReplayError                 a replayed run differs from the recorded one
    SubCallError(RLMError)        raised INSIDE model code when a sub-call fails, so that the model can catch it
    ToolError(RLMError)           raised INSIDE model code when a tool that it called fails
    StopRun(BaseException)        private: ends the model's block (final answer, spent limit); caught only by the REPL
    BlockTimedOut(KeyboardInterrupt)  private: ends a block whose time is up; caught only by the REPL
    RunStopped(KeyboardInterrupt)     private: ends a block of a run that the user stopped; caught only by the REPL

A fault in model code is data (`Observation.error`), not one of these.
Every message says what happened, gives the numbers, and names the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class RLMError(Exception):
    """Base of every error of this package."""


class ConfigError(RLMError):
    """An argument is impossible; nothing ran and nothing was spent."""


class ProviderError(RLMError):
    """A model call failed upstream or on the way there.

    Attributes:
        type: which kind of failure, as in `types.Fault`.
        retryable: whether the same call may succeed later.
        status: HTTP status of the failure, or `None` when there was no response.
        upstream: name of the provider that failed (`"openai"`), or `None` when the failure was nearer.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "unknown",
        retryable: bool = False,
        status: int | None = None,
        upstream: str | None = None,
    ) -> None:
        super().__init__(message)
        self.type = type
        self.retryable = retryable
        self.status = status
        self.upstream = upstream


class LimitReached(RLMError):
    """A limit of the run is spent.

    Attributes:
        limit: the field of `Limits` that was reached (`"max_iterations"`).
        used: how much was used, in that limit's unit.
        allowed: how much was allowed, in that limit's unit.
    """

    def __init__(self, message: str, *, limit: str, used: float, allowed: float) -> None:
        super().__init__(message)
        self.limit = limit
        self.used = used
        self.allowed = allowed


class RunCancelled(RLMError):
    """The user pressed stop."""


class ChannelError(RLMError):
    """Worker and host lost touch with each other."""


class ProtocolError(RLMError):
    """A message between worker and host is malformed: a fault of ours."""


class ReplayError(RLMError):
    """A replayed run differs from the recorded one: in a call, a context or a result."""


class SubCallError(RLMError):
    """A sub-call failed; raised inside model code, which may catch it.

    Attributes:
        results: replies of the batch in the order of its prompts, `None` where a call failed; values where it had a
            schema.
        errors: position in the batch -> why that call failed.
        partial: the part of a reply that was cut at its length limit, `None` where none was; of a batch a list of them.
    """

    def __init__(
        self,
        message: str,
        *,
        results: Sequence[object] = (),
        errors: Mapping[int, str] | None = None,
        partial: str | list[str | None] | None = None,
    ) -> None:
        super().__init__(message)
        self.results = list(results)
        self.errors = dict(errors or {})
        self.partial = partial


class ToolError(RLMError):
    """A tool failed; raised inside model code with the tool's own message."""


SubCallError.__module__ = ToolError.__module__ = (
    "__main__"  # where model code finds it: tracebacks show it by its bare name
)


class BlockTimedOut(KeyboardInterrupt):
    """End the model's block now, as its time is up; the run continues."""


class RunStopped(KeyboardInterrupt):
    """End the model's block now, as the user stopped the run; a plain `KeyboardInterrupt` is model code's own."""


class StopRun(BaseException):
    """End the model's block now; `except Exception` in model code cannot swallow it."""
