"""Call records: one for each call to a provider: whose it is, its model, its size, and its outcome; no text.

In: the facts of a call before it is made; what comes of it. Out: the record, for the metrics, the audit log and the
spans. A reply that was kept, or that another call brings, is no call to a provider and has no record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from rlm_core.types import ModelUsage, Reply

from ..http.problems import Problem
from ..providers.upstream import UpstreamError
from .audit_log import AuditLog
from .metrics import Metrics
from .spans import Spans

ANSWERED = "answered"
BROKEN_OFF = "broken-off"
FAULT = "internal-error"
NO_SPAN = nullcontext()


@dataclass(slots=True)
class CallRecord:
    """One call.

    Attributes:
        user: name of the user, empty where none is known.
        run: run of the idempotency key, empty without one.
        characters_in: length of the prompt.
        characters_out: length of the text that came, reasoning included.
        outcome: `answered`, `broken-off`, or the kind of the failure.
        first_seconds: time until the first piece came; `None` if none did.
        seconds: time of the whole call, retries included.
    """

    user: str
    provider: str
    model: str
    run: str
    characters_in: int
    characters_out: int = 0
    outcome: str = BROKEN_OFF
    first_seconds: float | None = None
    seconds: float = 0.0
    usage: ModelUsage = field(default_factory=ModelUsage)
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def is_answered(self) -> bool:
        """Whether the reply came whole."""
        return self.outcome == ANSWERED

    def take(self, piece: str | Reply) -> None:
        """Note a piece of the reply, or its end."""
        if self.first_seconds is None:
            self.first_seconds = self.clock() - self.began
        if isinstance(piece, Reply):
            self.characters_out = len(piece.text) + len(piece.reasoning)
            self.usage, self.outcome = piece.usage, ANSWERED
        else:
            self.characters_out += len(piece)


@dataclass(frozen=True, slots=True)
class CallWatch:
    """Those that look at each record."""

    metrics: Metrics = field(default_factory=Metrics)
    audit: AuditLog = field(default_factory=AuditLog)
    spans: Spans | None = None

    @contextmanager
    def watching(self, record: CallRecord) -> Iterator[None]:
        """Count the call of `record` while the block makes it; note its outcome after."""
        with NO_SPAN if self.spans is None else self.spans.of_call(record):
            model = self.metrics.begin(record.provider, record.model)
            try:
                yield
            except UpstreamError as fault:
                record.outcome = fault.kind
                raise
            except Problem as problem:
                record.outcome = problem.kind.slug
                raise
            except Exception:
                record.outcome = FAULT
                raise
            finally:
                self.metrics.end(model)
                record.seconds = record.clock() - record.began
                self.metrics.count(record)
                self.audit.write(record)
