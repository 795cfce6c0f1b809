"""Protocol: the messages between worker and host.

Here are the layout of the shared memory, every message of both directions as a tagged union (`type` is the tag), the
request bodies; `frames.py` lays out the frames of a reply. `python -m rlm_core.protocol` writes the same facts to
`worker/wire/protocol.js`.
Nothing here sends or waits; the channels in `worker/wire/` do, and `worker/sandbox/bridge.py` uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NewType, TypeAlias

from .frames import FRAME_ERROR as FRAME_ERROR
from .frames import FRAME_OK as FRAME_OK
from .frames import Frame as Frame
from .frames import decode_frames as decode_frames
from .frames import encode_frame as encode_frame
from .images import MAX_IMAGE_BYTES as MAX_IMAGE_BYTES
from .images import MAX_IMAGES as MAX_IMAGES
from .images import MAX_IMAGES_BYTES as MAX_IMAGES_BYTES
from .limits import BYTES_PER_TOKEN as BYTES_PER_TOKEN
from .limits import IMAGE_TOKENS as IMAGE_TOKENS
from .types import CallKind, FinishReason, Json, Message, ModelUsage, PastBlock

# Shared memory: Int32 words [FUTEX, LENGTH, REASON], then the payload.
# The futex word is `(sequence << STATE_BITS) | state`.
CHANNEL_BYTES = 1 << 20
"""Size of the shared memory: copies of 1 MiB cost less than the round trip around them."""
PAYLOAD_OFFSET = 64
"""Bytes before the payload: one cache line, so that the words and the payload share none."""
CHUNK_BYTES = CHANNEL_BYTES - PAYLOAD_OFFSET
FUTEX_WORD = 0
LENGTH_WORD = 1
REASON_WORD = 2
STATE_BITS = 3
SEQUENCE_MASK = (1 << 28) - 1
"""Greatest sequence number: with the state it fits into a positive Int32."""

# States. The host writes all but PENDING; the worker alone makes TIMED_OUT up, when the host is silent.
PENDING = 0
CHUNK = 1
LAST = 2
ERROR = 3
PROGRESS = 4
INTERRUPTED = 5
TIMED_OUT = 6
PIECE = 7
"""A piece of a root call's reply that is still being written, as JSON: `at`, the UTF-16 units before it, and `text`."""

# Reasons of an interrupt: the whole run is stopped, or the block's time is up. 0 is none: model code raised it itself.
STOP_RUN = 1
STOP_BLOCK = 2

SIGINT = 2
WAIT_SLICE_MS = 200
"""Longest single wait of the worker, after which it checks for an interrupt and for the idle timeout."""
HOST_HEARTBEAT_MS = 5_000
"""Interval of the host's PROGRESS states while a reply takes long."""
HOST_IDLE_TIMEOUT_MS = 150_000
"""Time without a state of the host after which a waiting worker gives up. Browsers run the timers of a background tab
once a minute: two of them may be missed."""
WORKER_HEARTBEAT_MS = 2_000
"""Interval of a waiting worker's heartbeats; no browser reports that a worker was ended."""
WORKER_IDLE_TIMEOUT_MS = 10_000
"""Time without a message of a waiting worker after which the host takes it for lost: five heartbeats."""
INTERRUPT_REPEAT_MS = 50
"""Interval at which the host repeats an interrupt until the worker acknowledges it: a C call may miss the first one."""
STOP_GRACE_MS = 200
"""Time for a stopped run to hand in its result before its worker is ended; a stop takes 0.5 s at most."""
BLOCK_GRACE_MS = 2_000
"""Time for a block whose time is up to end before its worker is: a lost worker costs more than the wait."""
HEALTH_STAGE = "health"
"""Stage of a `Failed` by which the worker says that a block has changed its interpreter for good."""
MAX_CRASHES = 3
"""Crashes of a run's worker in a row at which the run ends: the next worker would hardly do better."""
BOOT_DEADLINE_MS = 60_000
"""Time for a worker to boot: seconds on a slow machine without a cache, and as much again for a busy one."""
MEMORY_BYTES = 2 << 30
"""Most memory of a worker: below the browsers' 4 GiB, so that model code gets a MemoryError and the tab stays."""
OUTPUT_CHARS = 64 << 10
"""Characters of output that are held back before they are sent at once."""
OUTPUT_SECONDS = 0.05
"""Interval in which a block earns one more message of output: 20 in a second are as many as a person can follow."""
OUTPUT_BURST = 20
"""Most messages of output that a block may have earned, so that short output is seen as it is printed."""
MAX_MESSAGE_CHARS = 64 << 20
"""Longest string of a message: the untrusted worker must not exhaust the page's memory."""
MAX_TEXT_FILE_BYTES = 256 << 20
"""Bytes of text files that are bound to `context` as text; of larger ones it holds the path."""

# Values that exist in JavaScript only; the generated file names them by their own types.
MessagePort = NewType("MessagePort", object)
ArrayBuffer = NewType("ArrayBuffer", object)
SharedArrayBuffer = NewType("SharedArrayBuffer", object)
WebAssemblyModule = NewType("WebAssemblyModule", object)
BlobData = NewType("BlobData", object)

ContainmentLevel = Literal["full", "network", "weak"]
Transport = Literal["shared-memory", "jspi"]
BootPurpose = Literal["run", "snapshot"]
ContextType = Literal["text", "json", "bytes", "file", "pickle", "mounted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """First message, on the worker itself: all that the worker needs to start, because it can fetch nothing.

    The bytes come as blobs: those of a message stay in memory until its worker collects garbage.

    A worker of purpose `snapshot` answers with the memory of its interpreter, as the bytes of a module, and runs
    nothing: `snapshot` is that module.
    """

    type: ClassVar[str] = "boot"
    epoch: int
    purpose: BootPurpose
    port: MessagePort
    wasm: WebAssemblyModule
    stdlib: BlobData
    core: BlobData
    lock: str
    snapshot: WebAssemblyModule | None
    channel: SharedArrayBuffer | None
    interrupt: SharedArrayBuffer | None
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class JobTool:
    """A tool: it becomes a variable of the REPL and a line of the prompt. A `function` is the host's.

    `json` is the JSON text of a value, which only Python parses: JavaScript's numbers cannot hold each of its own.
    """

    name: str
    description: str
    json: str
    function: bool


@dataclass(frozen=True, slots=True)
class JobContext:
    """One value of the context. `data` is UTF-8 for `text` and `json`, a Blob for `file`: it is mounted, not copied.

    A child run gets one value from its parent (`text`, `bytes` or `pickle`), and the files of the root run `mounted`:
    so paths to them are good in the child as well.
    """

    name: str
    type: ContextType
    data: ArrayBuffer | BlobData


@dataclass(frozen=True, slots=True)
class JobPackage:
    """A package that the user chose for this run: the wheel, and the names that import it. The host checks the hash."""

    name: str
    version: str
    imports: tuple[str, ...]
    depends: tuple[str, ...]
    file_name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class StartJob:
    """The run's job. `limits` are the fields of `Limits`; `sub_tools` are those of child runs, `None` for the same.

    `session` is the number of the question in its session, `None` where there is none: its files are mounted apart.
    `past` holds the blocks of an earlier worker of the same run, in order. The model options are for the host's calls.
    `sub_window_tokens` is the window of the sub model, where its provider tells it; `sub_images` is whether it is known
    to take images.
    `schema` is the JSON Schema of the answer's value, `None` where it is text; `direct` asks for one call over
    the whole context; of a `console` entry the question is code, and no model is called.
    """

    question: str
    model: str | None
    sub_model: str | None
    model_options: Mapping[str, Json]
    sub_model_options: Mapping[str, Json]
    sub_window_tokens: int | None
    sub_images: bool
    system_prompt: str | None
    limits: Mapping[str, Json]
    tools: tuple[JobTool, ...]
    sub_tools: tuple[JobTool, ...] | None
    packages: tuple[JobPackage, ...]
    contexts: tuple[JobContext, ...]
    path: tuple[int, ...]
    session: int | None
    past: tuple[PastBlock, ...]
    schema: Json
    direct: bool
    console: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Run this job; sent once, after `ready`."""

    type: ClassVar[str] = "start"
    epoch: int
    job: StartJob


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPart:
    """One state of a reply, for the transport without shared memory."""

    type: ClassVar[str] = "reply"
    epoch: int
    sequence: int
    state: int
    data: ArrayBuffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The worker entered a stage of its boot, `seconds` after it was created."""

    type: ClassVar[str] = "stage"
    epoch: int
    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Booted, tested and locked down. `reason` says why `level` is not full."""

    type: ClassVar[str] = "ready"
    epoch: int
    level: ContainmentLevel
    reason: str
    transport: Transport
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The memory of an interpreter that has all of ours imported and has seen no job, as the bytes of a module of wasm:
    other workers start from it."""

    type: ClassVar[str] = "snapshot"
    epoch: int
    data: ArrayBuffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The worker waits for an answer; `body` is JSON text, `data` the bytes beside it. One is outstanding at a time."""

    type: ClassVar[str] = "request"
    epoch: int
    sequence: int
    body: str
    data: tuple[ArrayBuffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsAhead:
    """`body` is a `complete` request that a block will make, by the part of the reply that is written. It is sent while
    a root call is open, and nobody waits for it: the equal request of the block gets its answer."""

    type: ClassVar[str] = "ahead"
    epoch: int
    body: str
    data: tuple[ArrayBuffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The chunk was copied out: the next may be written."""

    type: ClassVar[str] = "ack"
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The worker is alive and waits for an answer; sent every `WORKER_HEARTBEAT_MS`."""

    type: ClassVar[str] = "heartbeat"
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """`body` is a JSON array of events in their JSON form (see `trajectory.py`)."""

    type: ClassVar[str] = "events"
    epoch: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run ended; `result` is the JSON text of a `RunResult`. It also acknowledges an interrupt."""

    type: ClassVar[str] = "finished"
    epoch: int
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The worker is no good any more: a stage of its boot failed, the run met a fault of ours, or a block has changed
    the interpreter: then `error` is that change, as a clause that follows "the block"."""

    type: ClassVar[str] = "failed"
    epoch: int
    stage: str
    error: str


ToWorker: TypeAlias = Boot | Start | ReplyPart
ToHost: TypeAlias = Stage | Ready | Snapshot | Request | CallsAhead | Ack | Heartbeat | Events | Finished | Failed


@dataclass(frozen=True, slots=True)
class RequestedImage:
    """An image of a call: `data` is its position among the bytes beside the request; the rest is model code's word."""

    source: str
    page: int | None
    data: int


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """One call of a `complete` request. `schema` is its reply's schema as JSON text; the prompt ends with it. Images
    stand beside its last message."""

    model: str | None
    messages: tuple[Message, ...]
    schema: str | None
    images: tuple[RequestedImage, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteRequest:
    """Body of a request: answer these calls. The reply is made of frames. `kept` messages of the last root call stand
    before those of this one, and long texts travel beside it as bytes; the host puts them there."""

    op: Literal["complete"] = "complete"
    kind: CallKind
    kept: int | None = None
    calls: tuple[RequestedCall, ...]


@dataclass(frozen=True, slots=True)
class RequestedChild:
    """One child run of a `child` request; `context` is the kind of its context, whose bytes are beside the request."""

    question: str
    model: str | None
    context: Literal["none", "text", "bytes", "pickle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRequest:
    """Body of a request: run these children. The reply is made of frames, as that of `complete`."""

    op: Literal["child"] = "child"
    children: tuple[RequestedChild, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRequest:
    """Body of a request: the wheel of a package of the lock file. The reply is its bytes."""

    op: Literal["package"] = "package"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRequest:
    """Body of a request: how this value, as JSON text, differs from the run's schema. The reply is a JSON list of
    sentences."""

    op: Literal["shape"] = "shape"
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """Body of a request: call this function of the host. The reply is its result as JSON.

    `arguments` is the JSON text of an object with the list `args` and the object `kwargs`.
    """

    op: Literal["tool"] = "tool"
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class WireError:
    """An error as it crosses the channel: body of an ERROR state, meta of a failed frame."""

    title: str
    detail: str
    type: str
    retryable: bool
    status: int | None
    upstream: str | None


@dataclass(frozen=True, slots=True)
class ReplyMeta:
    """Facts of a reply as they cross the channel: meta of a frame that did not fail."""

    model: str
    usage: ModelUsage
    finish_reason: FinishReason | None


if __name__ == "__main__":
    from ._protocol_js import write

    write()
