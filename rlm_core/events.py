"""Events: every fact about a run, as it happens.

`emit(Event)` is the only way out of the core. Page, command line and log are three views of the same list.
A recorder stamps each event with `seq` (position in the whole tree's log, from 0), `path` (position of the run in the
tree: `()` is the root run) and `seconds` (since the root run began). Sizes are in characters.

`Output`, `ReplyWritten` and `ReasoningWritten` are for watching only: the same text is in the block's observation and
in the call's end, so logs leave them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

from .types import CallKind, Evidence, FinishReason, Json, Message, ModelUsage, Observation, SentImage, Span, StoppedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where and when; zero until a recorder fills it in."""

    seq: int = 0
    path: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Stamp):
    """A run begins. `contexts` describes each value of the context: name, type, size, fingerprint; never the text.

    `run` names the run for good, also where it is resumed: the idempotency keys of its calls begin with it. It is the
    host's, and empty without one. `model_options` go with the calls of the root model, `sub_model_options` with
    sub-calls, under their wire names: `temperature`, `top_p`, `max_output_tokens`, `reasoning_effort`, `seed`.
    `schema` is the JSON Schema of the answer's value, if it has one. A `direct` run is one call over the whole context.
    Of a `console` entry of a session, the question is code that the person ran, and no model is called.
    """

    type: ClassVar[str] = "run_started"
    question: str
    model: str | None
    sub_model: str | None
    limits: Mapping[str, Json]
    contexts: tuple[Mapping[str, Json], ...] = ()
    run: str = ""
    model_options: Mapping[str, Json] = field(default_factory=dict)
    sub_model_options: Mapping[str, Json] = field(default_factory=dict)
    schema: Json = None
    direct: bool = False
    console: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationStarted(Stamp):
    """The root model is about to be asked for its next reply. `iteration` counts from 1."""

    type: ClassVar[str] = "iteration_started"
    iteration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Stamp):
    """A model call is about to leave. `call` numbers those of the tree from 0; `batch` is the size of its request.

    `messages` holds those that are new since the root call before it; `kept` counts the earlier ones that precede them.
    `options` are the model options of the call, as in `RunStarted`; `images` are those beside its last message.
    `ahead` is there where the call left while the reply that makes it was still being written: `used`, or `unused`
    where the whole code did not ask for it. An unused one is recorded when its iteration is over, with its cost.
    """

    type: ClassVar[str] = "call_started"
    call: int
    kind: CallKind
    model: str | None
    messages: tuple[Message, ...]
    kept: int = 0
    batch: int = 1
    options: Mapping[str, Json] = field(default_factory=dict)
    images: tuple[SentImage, ...] = ()
    ahead: Literal["used", "unused"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyWritten(Stamp):
    """The root model's reply has grown; live view only, never logged, and emitted by the host only.

    `text` follows the first `at` UTF-16 units of the reply of `call` so far: 0 begins the reply, also when it broke
    off and the call is retried.
    """

    type: ClassVar[str] = "reply_written"
    call: int
    at: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningWritten(Stamp):
    """The reasoning that the root model shows has grown; live view only, never logged, and emitted by the host only.

    It is no part of the reply. `text` follows the first `at` UTF-16 units of it, as in `ReplyWritten`.
    """

    type: ClassVar[str] = "reasoning_written"
    call: int
    at: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress(Stamp):
    """Text that left the tab with a call: the host's own account, from its messages as they were sent.

    `to` is the destination in a line: origin, model, and the class of its host where that is known; logs before
    2026-11-28 hold the origin alone. `denied` says why the call was kept from leaving; then nothing did. Spans are the
    parts of the context that stand in the call, made one where they touch: the longest hundred of them, and
    `more_spans` counts the others. Of `bytes`, `image_bytes` are those of images. Of the context's characters
    `context_chars` are in this call, `new_chars` left with it for this destination for the first time, and `left_chars`
    of `context_size` have left so far for any.
    """

    type: ClassVar[str] = "egress"
    call: int
    to: str
    model: str | None
    chars: int
    bytes: int
    context_chars: int
    new_chars: int
    left_chars: int
    context_size: int
    spans: tuple[Span, ...] = ()
    more_spans: int = 0
    denied: str | None = None
    image_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(Stamp):
    """A model call came back: `text`, or `error` when it failed. `finish_reason`, `reasoning` and `from_store` as in
    `types.Reply`.

    `stopped` is the kind of stop that ended it before an answer came, with an `error` for people: `cancelled` when the
    run or its block was stopped. Such a call has no outcome; a resumed run makes it once more.
    """

    type: ClassVar[str] = "call_finished"
    call: int
    model: str = ""
    text: str | None = None
    error: str | None = None
    stopped: str | None = None
    usage: ModelUsage = field(default_factory=ModelUsage)
    finish_reason: FinishReason | None = None
    reasoning: str = ""
    from_store: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStarted(Stamp):
    """A code block begins to run. `block` counts the blocks of the iteration from 0."""

    type: ClassVar[str] = "block_started"
    iteration: int
    block: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Stamp):
    """Text that a running block printed; live view only, never logged."""

    type: ClassVar[str] = "output"
    iteration: int
    block: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFinished(Stamp):
    """A code block ended. `partial` is the answer so far, if any; `observation.shown` holds displayed values, as JSON.

    A `lost` block was at work when its worker died or was stopped, or changed the interpreter for good: its observation
    is the host's, its variables are gone, and no later worker runs it. `stopped` is the kind of stop that ended a block
    before its end: `timed_out` when its time was up, `cancelled` when the run was stopped; its error is for people.
    """

    type: ClassVar[str] = "block_finished"
    iteration: int
    block: int
    observation: Observation
    partial: str | None = None
    lost: bool = False
    stopped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationFinished(Stamp):
    """An iteration is over; `reply` is the root model's text, whole."""

    type: ClassVar[str] = "iteration_finished"
    iteration: int
    reply: str
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Stamp):
    """Something the user should know that is none of the above (a transport, a containment level, a retry).

    `text` is for people and may be reworded; `code` is the stable name that programs read, `None` where none of them
    does. The host's codes: `worker_ready`, `worker_lost`, `worker_replaced` (a block had changed the interpreter for
    good), `continued` (from a journal), `diverged` (from a recorded run), `forked`, `called_again` (a function that did
    not answer before the run was cut off), `unreachable` and `reachable` (the endpoint went away, and answers again:
    the run waits in between), `sent_ahead` (sub-calls left before the reply that makes them was
    whole), `fits_window` (one direct call over the context would do).
    """

    type: ClassVar[str] = "notice"
    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted(Stamp):
    """Model code asks the host for child runs (`children` are their numbers) or for its function `name`.

    `mark` tells the request apart from the others of its run. It is the host's own: without one there is no such event.
    """

    type: ClassVar[str] = "request_started"
    op: Literal["child", "tool"]
    mark: str
    name: str = ""
    children: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled(Stamp):
    """Model code called a function of the host's: its result, or `error` when it failed.

    `arguments_json` (an object with `args` and `kwargs`) and `result_json` are their JSON text where JavaScript, which
    writes the log, changes them: a number that it cannot hold, or keys that it sorts.
    """

    type: ClassVar[str] = "tool_called"
    name: str
    args: tuple[Json, ...] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    result: Json = None
    error: str | None = None
    arguments_json: str | None = None
    result_json: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Stamp):
    """A run is over. Fields as in `RunResult`."""

    type: ClassVar[str] = "run_finished"
    answer: str
    iterations: int
    stopped_by: StoppedBy
    detail: str = ""
    usage: Mapping[str, ModelUsage] = field(default_factory=dict)
    value: str | None = None
    evidence: tuple[Evidence, ...] = ()


Event: TypeAlias = (
    RunStarted
    | IterationStarted
    | CallStarted
    | ReplyWritten
    | ReasoningWritten
    | Egress
    | CallFinished
    | BlockStarted
    | Output
    | BlockFinished
    | IterationFinished
    | Notice
    | RequestStarted
    | ToolCalled
    | RunFinished
)
EVENT_TYPES: tuple[type[Event], ...] = get_args(Event)
FOR_WATCHING: tuple[str, ...] = (Output.type, ReplyWritten.type, ReasoningWritten.type)
"""Types that logs leave out."""

Emit: TypeAlias = Callable[[Event], object]
"""Whatever takes events: a list's `append`, a `Recorder`, a channel to the page."""


def ignore(event: Event) -> None:
    """Take an event and do nothing with it: the `emit` of a run that nobody watches."""
