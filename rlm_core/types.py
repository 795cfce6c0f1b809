"""The nouns: values that the other modules hand to each other.

Nothing here does anything; each class names its fields and their units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
Role = Literal["system", "user", "assistant"]
CallKind = Literal["root", "sub", "compaction"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
EvidenceStatus = Literal["found", "elsewhere", "stitched", "changed", "missing"]
CheckedBy = Literal["host", "worker"]
StoppedBy = Literal[
    "final_answer",
    "max_iterations",
    "max_sub_calls",
    "max_input_tokens",
    "max_output_tokens",
    "max_cost",
    "max_seconds",
    "max_errors",
    "denied",
    "cancelled",
    "provider_error",
    "worker_lost",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation with a model."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a context: [start, end) in characters, or in bytes where the context is no text.

    `byte_start` and `byte_end` are the same in bytes of its UTF-8 or of its file.
    """

    name: str
    start: int
    end: int
    byte_start: int
    byte_end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote that bears out an answer, and its place in the context.

    Attributes:
        quote: the model's words.
        source: name of the value or the file that holds it, or the one that the model named; `None`: neither.
        status: `"found"`; `"elsewhere"`: in another source than the model named; `"stitched"`: its parts stand apart;
            `"changed"`: close to it stands something else, in `difference`; `"missing"`.
        start: first character in the source's text, `None` where it was not found; `end`: the one after the last.
        byte_start: the same in bytes of the text as UTF-8; `byte_end` too.
        line: from 1.
        page: of a document, from 1; of a presentation it is the slide.
        sheet: of a workbook.
        difference: how the source differs from the quote, or where its parts stand.
        checked_by: `"host"` where the page has compared the place with the text that it holds, else `"worker"`.
    """

    quote: str
    source: str | None = None
    status: EvidenceStatus = "missing"
    start: int | None = None
    end: int | None = None
    byte_start: int | None = None
    byte_end: int | None = None
    line: int | None = None
    page: int | None = None
    sheet: str | None = None
    difference: str | None = None
    checked_by: CheckedBy = "worker"


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape that the answer of a run must have.

    Attributes:
        schema: JSON Schema, draft 2020-12.
        differences: sentences on how a JSON value differs from it, none where it fits.
    """

    schema: Json
    differences: Callable[[Json], Sequence[str]]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One code fence of a reply. `language` is the fence's tag in lower case (`"repl"`, `"python"`, `"py"`)."""

    code: str
    language: str = "repl"


@dataclass(frozen=True, slots=True)
class Observation:
    """Result of executing one code block.

    Attributes:
        stdout: its output, stdout and stderr in the order written; head and tail when it was over the cap.
        stdout_chars: number of characters it printed, before any cut.
        value: `repr` of the value of its last expression, or `None` when there is none to show.
        error: traceback of the exception that ended it, or `None`.
        seconds: wall-clock time of the block.
        shown: values that it displayed to the person, as JSON text; the model does not see them.
    """

    stdout: str = ""
    stdout_chars: int = 0
    value: str | None = None
    error: str | None = None
    seconds: float = 0.0
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class PastBlock:
    """A block that ran in an earlier worker of the run, with its observation.

    It is run again to rebuild the state, and the model is shown the recorded observation; a `lost` one is not run.
    """

    iteration: int
    block: int
    observation: Observation
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Usage of one model's calls. Tokens are the provider's own count; 0 where it reports none.

    Attributes:
        cached_tokens: those of `input_tokens` that the provider read from its cache.
        cost: US dollars, or `None` when the price of any of the calls is unknown; never 0 for that.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: ModelUsage) -> ModelUsage:
        return ModelUsage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            _total_cost(self, other),
        )


def _total_cost(one: ModelUsage, other: ModelUsage) -> float | None:
    """The sum, unknown as soon as a part of it is; no calls at all cost nothing."""
    if not one.calls and one.cost is None:
        return other.cost
    if not other.calls and other.cost is None:
        return one.cost
    return None if one.cost is None or other.cost is None else one.cost + other.cost


Usage: TypeAlias = Mapping[str, ModelUsage]
"""Model name (`"openai:gpt-5-mini"`) -> its usage in the whole tree of runs."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture beside a prompt: PNG, JPEG, WebP or GIF.

    Attributes:
        source: name of the file that it is, or is a page of; empty where that is not known.
        page: of a document, from 1.
    """

    data: bytes
    source: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image of a call, as its log has it.

    Attributes:
        source: as model code names it, as in `Image`; `page` too.
        type: MIME type of the bytes that left.
        width: pixels, `None` where nobody looked; `height` too.
        bytes: number of those that left.
        sha256: of the bytes that model code gave, in hex.
        sent_sha256: of those that left: another where the host has scaled the image down.
        data: the bytes that left, as base64, where the log keeps them.
    """

    source: str
    page: int | None
    type: str
    width: int | None
    height: int | None
    bytes: int
    sha256: str
    sent_sha256: str
    data: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One prompt on its way to a model.

    Attributes:
        messages: the whole conversation, oldest first.
        model: `"provider:name"`, or `None` for the default of `kind`.
        kind: `"root"` for an iteration's call, `"sub"` for one made by model code, `"compaction"` for the summary of a
            conversation that fills the window; it is no sub-call, and counts in no limit of them.
        schema: JSON text of the schema that the reply must fit, for a vendor that can hold it to one; it stands in the
            messages too.
        images: pictures beside the last message, for a model that takes them.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    kind: CallKind = "root"
    schema: str | None = None
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply.

    Attributes:
        text: the reply as it came, thoughts and markers of the server included.
        model: the one that answered, which may differ from the requested one.
        usage: usage of this call.
        finish_reason: end of the reply: `"stop"`, `"length"` (it was cut), `"content_filter"` (refusals too),
            `"tool_calls"`; `None` where the provider does not say.
        reasoning: reasoning that the model shows apart from its text; no part of the reply, and never sent again.
        from_store: whether the server had kept it from an earlier request, which paid for it.
    """

    text: str
    model: str = ""
    usage: ModelUsage = ModelUsage(calls=1)
    finish_reason: FinishReason | None = None
    reasoning: str = ""
    from_store: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A value or function bound in the REPL under `name`; `description` is its line in the prompt.

    `value` is a JSON value, or a function of the caller: model code calls it with JSON arguments, gets its result as
    JSON, and an exception of it as a `ToolError` with its message.
    """

    name: str
    value: Json | Callable[..., object]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """A child run that model code requests.

    Attributes:
        question: text that is not empty.
        context: its data, any value; `None` makes the question itself the context.
        model: its root model, `None` for that of its parent.
    """

    question: str
    context: object = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a model call failed, in facts that a program can act on.

    Attributes:
        type: which kind of failure: a problem type of the server without its path (`"upstream-rate-limited"`), one of
            the host's own (`"server-unreachable"`), or `"unknown"` where it is not known.
        status: HTTP status of the failure, or `None` when there was no response.
        retryable: whether the same call may succeed later.
        upstream: name of the provider that failed, or `None` when the failure was nearer.
    """

    type: str = "unknown"
    status: int | None = None
    retryable: bool = False
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        answer: the final answer, or the best partial one when `stopped_by` is not `"final_answer"`; may be empty.
        iterations: number of replies of the root model.
        seconds: wall-clock time of the run.
        usage: tokens and calls per model, children included.
        stopped_by: why it ended.
        detail: one sentence for the user when it did not end with a final answer.
        fault: the failure when `stopped_by` is `"provider_error"`, else `None`.
        value: the answer as JSON text where the run has a schema and the answer fits it, else `None`.
        evidence: the quotes that bear out the answer, each looked for in the context.
    """

    answer: str
    iterations: int
    seconds: float
    usage: Usage = field(default_factory=lambda: MappingProxyType({}))
    stopped_by: StoppedBy = "final_answer"
    detail: str = ""
    fault: Fault | None = None
    value: str | None = None
    evidence: tuple[Evidence, ...] = ()
