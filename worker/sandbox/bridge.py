"""Bridge: the core's two seams, `Provider` and `emit`, bound to the worker's channel.

In: a job as JSON, its contexts as bytes or mounted files, and the functions of the host's line. Out: the result as
JSON, and on the way events and requests. It runs on CPython too, with any object that has the methods of `Line`.
"""

from __future__ import annotations

import json
import pickle
import pkgutil
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, cast

from health import Health
from packages import Packages
from readers import ReadError, page_image, plain, read, tables
from readers.about import about
from readers.kinds import kind_of
from readers.source import HEAD_BYTES, Source
from waits import waiting_by

from rlm_core import (
    ChannelError,
    Event,
    Job,
    Limits,
    ModelCall,
    ModelUsage,
    ProtocolError,
    ProviderError,
    Reply,
    RunResult,
    Session,
    Tool,
    ToolError,
    answer,
    documents,
    protocol,
)
from rlm_core.contexts import fingerprint
from rlm_core.errors import BlockTimedOut, RunStopped
from rlm_core.events import BlockFinished, BlockStarted, Output, RunFinished
from rlm_core.output import DESCRIPTORS
from rlm_core.trajectory import to_json
from rlm_core.types import Child, Evidence, Json, Observation, PastBlock, Shape

CONTEXT_FOLDER = Path("/context")
MAX_TEXT_FILES = 2_000
"""Files of a context that are read before a run; of more none is, as each takes half a millisecond."""
MAX_NAMED_PACKAGES = 40
"""Import names of a run's packages that the prompt names."""
MAX_NAMED_FILES = 100
"""Files of a context of which the log holds a fingerprint each."""
TEXTS = frozenset(("text", "csv", "json", "html", "ipynb", "srt", "vtt", "eml", "mbox", "mhtml", "rtf", "fodt"))
"""Kinds of file that are bound as a `str`, whatever their coding."""
PACKAGES = Packages(pkgutil.get_data(__name__, "pyodide-lock.json") or b"")
sys.meta_path.append(PACKAGES)
FUNCTIONS: dict[str, Callable[..., object]] = {
    "read": read,
    "tables": tables,
    "page_image": page_image,
    "ReadError": ReadError,
}
HEALTH = Health()
"""Begun by worker.js, once nothing but model code is left to come."""
_SESSION = Session()
"""The session of this worker, which serves one at most."""
MAX_CALLS = 10_000
"""Prompts of the largest batch; the host refuses more."""
MAX_ANSWER_CHARS = 2 << 20
"""Characters of the longest answer that the page is sent; as JSON they may be six times as many."""


class Bytes(Protocol):
    """A typed array of the host."""

    def to_bytes(self) -> bytes: ...


class Line(Protocol):
    """Functions of worker.js: the waiting end of the channel, the interrupt switch, and the ways out for events and for
    the fault that ends the worker.

    `request` takes the body, and the byte strings that go beside it. It and `next` return a state, or an awaitable of
    one where the worker cannot block; there Pyodide sleeps in its own way, and there is no `pause`. `take_output` takes
    the bytes written to the file descriptors 1 and 2.
    """

    def request(self, body: str, *data: Any) -> Any: ...
    def next(self) -> Any: ...
    def take(self) -> Bytes: ...
    def pause(self, milliseconds: float) -> Any: ...
    def interruptible(self, on: bool) -> None: ...
    def stop_reason(self) -> int: ...
    def emit(self, body: str) -> None: ...
    def take_output(self) -> Bytes | None: ...
    def fail(self, fault: str) -> None: ...


class Unhealthy(BaseException):
    """The host was asked for a fresh worker: nothing that this one does counts any more."""


def run(job: str, contexts: Sequence[tuple[str, str, Bytes | None]], line: Line) -> str:
    """Run `job` and return its `RunResult` as JSON."""
    outbox = Outbox(line)
    host = BridgeProvider(line, outbox.flush)
    before = signal.signal(signal.SIGINT, lambda number, frame: _signalled(line, host.block_seconds))
    try:
        fields = json.loads(job)
        line.interruptible(False)
        PACKAGES.request = host.package
        chosen = fields.get("packages", ())
        PACKAGES.choose(chosen)
        if hasattr(line, "take_output"):
            DESCRIPTORS.take = _taking(line.take_output)
        context, codings = _bound(contexts, fields.get("session"))
        wanted = replace(
            _job(fields, context, host),
            contexts=_fingerprints(contexts, context),
            functions=FUNCTIONS,
            packages=_libraries(chosen),
            about=_about(context, codings),
        )
        host.block_seconds = wanted.limits.max_block_seconds or 0.0
        random.seed(
            f"{wanted.path} {fields.get('session') or None}"
        )  # run again, a block draws the same and asks the same
        session = None if fields.get("session") is None or wanted.path else _SESSION
        start = host.start_children
        with waiting_by(host.pause) if hasattr(line, "pause") else nullcontext():
            result = answer(wanted, provider=host, emit=outbox.emit, start_children=start, session=session)
            result = replace(result, evidence=_in_bytes_of_files(result.evidence, codings))
    except KeyboardInterrupt:  # between two blocks, where the core has no block to end
        result = RunResult("", 0, 0.0, stopped_by="cancelled", detail="The run was stopped.")
    except Exception:  # a fault of ours, unless the interpreter under it was changed
        _check_health(line)
        raise
    PACKAGES.request = None
    line.interruptible(False)
    signal.signal(signal.SIGINT, before)
    outbox.flush()
    return _result_json(result)


def _taking(take_output: Callable[[], Bytes | None]) -> Callable[[], bytes]:
    def take() -> bytes:
        data = take_output()
        return b"" if data is None else data.to_bytes()

    return take


class BridgeProvider:
    """A `Provider` that asks the host, all calls in one request; child runs and tools are asked for in the same way.

    Args:
        line: see `Line`.
        flush: sends the output that is still held back; called before each wait.

    Attributes:
        block_seconds: after which the host interrupts a block; set with the job.
    """

    def __init__(self, line: Line, flush: Callable[[], None]) -> None:
        self.block_seconds = 0.0
        self._line = line
        self._request, self._next, self._take = line.request, line.next, line.take  # each look-up makes a new proxy
        self._flush = flush

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer `calls` in their order; a failed one is its `ProviderError`.

        Raises:
            ChannelError: the host shows no life.
            RunStopped: the user pressed stop while this waited.
        """
        if not calls:
            return []
        if len(calls) > MAX_CALLS:
            message = f"batch too large: {len(calls):,} of {MAX_CALLS:,} prompts at once. Ask in several batches."
            return [ProviderError(message, type="request-too-large", status=413)] * len(calls)
        self._flush()
        if calls[0].kind == "root":
            _check_health(self._line)
        try:
            reply = self._ask(_request_body(calls))
        except ProviderError as fault:
            return [fault] * len(calls)
        return _outcomes(reply, len(calls))

    def start_children(self, children: Sequence[Child]) -> Sequence[Reply | ProviderError]:
        """Have the host run `children`; contexts go beside the request as bytes. Raises as `complete` does."""
        packed = [_packed(child.context) for child in children]
        wanted = [
            {"question": child.question, "model": child.model, "context": kind}
            for child, (kind, _) in zip(children, packed, strict=True)
        ]
        self._flush()
        try:
            reply = self._ask(json.dumps({"op": "child", "children": wanted}), [data for _, data in packed])
        except ProviderError as fault:
            return [fault] * len(children)
        return _outcomes(reply, len(children))

    def tool(self, name: str) -> Callable[..., object]:
        """The host's function `name`; its arguments and its result are JSON.

        Raises (when it is called):
            ToolError: it failed.
        """

        def call(*args: object, **kwargs: object) -> object:
            arguments = json.dumps({"args": args, "kwargs": kwargs}, allow_nan=False)
            self._flush()
            try:
                reply = self._ask(json.dumps({"op": "tool", "name": name, "arguments": arguments}))
            except ProviderError as fault:
                raise ToolError(str(fault)) from None
            return json.loads(reply)

        return call

    def package(self, name: str) -> bytes:
        """The wheel of a package of the lock file.

        Raises:
            ImportError: the host has none, or it is not as the lock file says.
        """
        try:
            return bytes(self._ask(json.dumps({"op": "package", "name": name})))
        except ProviderError as fault:
            raise ImportError(f"the package {name} cannot be loaded: {fault}") from None

    def differences(self, value: Json) -> list[str]:
        """How `value` differs from the schema of the run; the page applies it."""
        text = json.dumps(value, allow_nan=False)
        if len(text) > MAX_ANSWER_CHARS:
            return [f"it has {len(text):,} characters as JSON, and {MAX_ANSWER_CHARS:,} are the most"]
        return [str(sentence) for sentence in json.loads(self._ask(json.dumps({"op": "shape", "value": text})))]

    def pause(self, seconds: float) -> None:
        """Wait, unless the host interrupts: then raises as `_interrupted` does."""
        self._flush()
        if _settled(self._line.pause(seconds * 1_000)) == protocol.INTERRUPTED:
            _interrupted(self._line, self.block_seconds)

    def _ask(self, body: str, data: Sequence[bytes] = ()) -> bytearray:
        if len(body) > protocol.MAX_MESSAGE_CHARS:
            size = f"{len(body):,} of {protocol.MAX_MESSAGE_CHARS:,} characters"
            raise ProviderError(
                f"request too large: {size} as JSON. Send shorter prompts, or fewer at once.",
                type="request-too-large",
                status=413,
            )
        reply = bytearray()
        state = _settled(self._request(body, *map(_to_host, data)))
        while state == protocol.CHUNK:
            reply += self._take().to_bytes()
            state = _settled(self._next())
        if state == protocol.INTERRUPTED:
            _interrupted(self._line, self.block_seconds)
        if state == protocol.TIMED_OUT:
            seconds = protocol.HOST_IDLE_TIMEOUT_MS // 1_000
            raise ChannelError(f"the page gave no sign of life for {seconds} s. Keep its tab open, and run again.")
        last = self._take().to_bytes()
        if state == protocol.ERROR:
            raise _error(json.loads(last))
        reply += last
        return reply


class Outbox:
    """Sends events to the host: output is held back and joined, all else leaves at once and takes the output along.

    A line of output leaves at once while there is credit for a message: `OUTPUT_BURST` of them, refilled by one every
    `OUTPUT_SECONDS`. So the first lines are seen as they are printed, and a flood costs a bounded number of messages.
    """

    def __init__(self, line: Line, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._clock = clock
        self._held: list[Output] = []
        self._held_chars = 0
        self._credit = float(protocol.OUTPUT_BURST)
        self._counted_at = clock()

    def emit(self, event: Event) -> None:
        """Send `event`, or hold it back when it is output that may wait."""
        if isinstance(event, Output):
            self._hold(event)
            return
        if isinstance(event, BlockFinished):
            self._line.interruptible(False)
            self.flush()
            _check_health(self._line)
            event = replace(event, partial=event.partial and event.partial[:MAX_ANSWER_CHARS])
        elif isinstance(event, RunFinished):
            event = replace(event, answer=event.answer[:MAX_ANSWER_CHARS])
        self._send([*self._joined(), event])
        if isinstance(event, BlockStarted):
            self._line.interruptible(True)

    def flush(self) -> None:
        """Send the output that is held back."""
        if self._held:
            self._send(self._joined())

    def _hold(self, event: Output) -> None:
        self._held.append(event)
        self._held_chars += len(event.text)
        now = self._clock()
        earned = (now - self._counted_at) / protocol.OUTPUT_SECONDS
        self._credit, self._counted_at = min(self._credit + earned, protocol.OUTPUT_BURST), now
        timely = self._credit >= 1 and (event.text.endswith("\n") or earned >= 1)
        if timely or self._held_chars >= protocol.OUTPUT_CHARS:
            self._credit -= 1
            self.flush()

    def _joined(self) -> list[Output]:
        """The held output as one event: a block's end sends all of it, so that it is always of one block."""
        held, self._held, self._held_chars = self._held, [], 0
        if not held:
            return []
        text = "".join(event.text for event in held)
        return [Output(iteration=held[0].iteration, block=held[0].block, text=text)]

    def _send(self, events: Sequence[Event]) -> None:
        self._line.emit(f"[{','.join(to_json(event) for event in events)}]")


def _check_health(line: Line) -> None:
    """Have the host replace this worker when the block has changed it for good.

    Raises:
        Unhealthy: it has.
    """
    fault = HEALTH.fault()
    if fault is not None:
        line.fail(fault)
        raise Unhealthy(fault)


def _interrupted(line: Line, seconds: float) -> None:
    """Raise the reason of the host's interrupt: the end of the run, or of a block that was at work for `seconds`.

    Raises:
        RunStopped: the run is stopped.
        BlockTimedOut: the block's time is up.
    """
    if line.stop_reason() == protocol.STOP_BLOCK:
        raise BlockTimedOut(f"the block was stopped after {seconds:g} s. Do it in smaller steps, or in another way.")
    raise RunStopped


def _signalled(line: Line, seconds: float) -> None:
    """The handler of SIGINT: model code may raise the signal too, and then it is its own exception."""
    if not line.stop_reason():
        raise KeyboardInterrupt
    _interrupted(line, seconds)


def _settled(value: Any) -> int:
    """`value`, or its result: without shared memory the line returns promises, and the stack is switched."""
    if isinstance(value, int):
        return value
    from pyodide.ffi import run_sync  # type: ignore[import-not-found]

    return cast(int, run_sync(value))


def _to_host(data: bytes) -> Any:
    """A copy of `data` as an array of the host's, which can be sent away."""
    try:
        from pyodide.ffi import to_js
    except ImportError:
        return data
    return to_js(data)


def _packed(context: object) -> tuple[str, bytes]:
    """A context as bytes, and how they are to be read."""
    if context is None:
        return "none", b""
    if type(context) is str:
        return "text", context.encode("utf-8", "surrogatepass")
    if type(context) is bytes:
        return "bytes", context
    try:
        return "pickle", pickle.dumps(context, pickle.HIGHEST_PROTOCOL)
    except Exception as fault:  # noqa: BLE001 - a value of model code may raise anything when it is copied
        kind = type(context).__name__
        raise TypeError(f"a {kind} cannot be passed to a child run: {fault}. Pass plain data.") from None


def _request_body(calls: Sequence[ModelCall]) -> str:
    wanted = [
        {"model": call.model, "messages": [{"role": turn.role, "content": turn.content} for turn in call.messages]}
        for call in calls
    ]
    return json.dumps({"op": "complete", "kind": calls[0].kind, "calls": wanted})


def _outcomes(reply: bytearray, count: int) -> list[Reply | ProviderError]:
    outcomes: dict[int, Reply | ProviderError] = {}
    for frame in protocol.decode_frames(reply):
        if not 0 <= frame.index < count or frame.index in outcomes:
            raise ProtocolError(f"frame {frame.index} of a request of {count} calls is out of range or came twice.")
        outcomes[frame.index] = _error(frame.meta) if frame.status == protocol.FRAME_ERROR else _reply(frame)
    if len(outcomes) != count:
        raise ProtocolError(f"the reply holds {len(outcomes)} frames for {count} calls.")
    return [outcomes[index] for index in range(count)]


def _reply(frame: protocol.Frame) -> Reply:
    meta = cast(Mapping[str, Any], frame.meta)
    return Reply(frame.text, meta["model"], ModelUsage(**meta["usage"]), meta.get("finish_reason"))


def _error(fields: Mapping[str, Any]) -> ProviderError:
    wire = protocol.WireError(**fields)
    message = wire.detail or wire.title
    return ProviderError(message, type=wire.type, retryable=wire.retryable, status=wire.status, upstream=wire.upstream)


def _job(fields: dict[str, Any], context: object, host: BridgeProvider) -> Job:
    sub_tools = fields.get("sub_tools")
    return Job(
        question=fields["question"],
        context=context,
        model=fields["model"],
        sub_model=fields["sub_model"],
        limits=Limits(**fields["limits"]),
        sub_window_tokens=fields.get("sub_window_tokens"),
        system_prompt=fields["system_prompt"],
        tools=_tools(fields["tools"], host),
        sub_tools=None if sub_tools is None else _tools(sub_tools, host),
        shape=None if fields.get("schema") is None else Shape(fields["schema"], host.differences),
        path=tuple(fields.get("path", ())),
        past=tuple(_past(block) for block in fields.get("past", ())),
    )


def _past(block: Mapping[str, Any]) -> PastBlock:
    return PastBlock(block["iteration"], block["block"], Observation(**block["observation"]), block["lost"])


def _tools(tools: Sequence[Mapping[str, Any]], host: BridgeProvider) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            tool["name"], host.tool(tool["name"]) if tool["function"] else json.loads(tool["json"]), tool["description"]
        )
        for tool in tools
    )


def _folder(session: int | None) -> Path:
    """Where the files of the question are mounted: each of a session has its own folder."""
    return CONTEXT_FOLDER.with_name(f"{CONTEXT_FOLDER.name}_{session}") if session else CONTEXT_FOLDER


def _libraries(chosen: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Packages for the prompt: those that it knows a purpose of, and the lock file has; and those of the run."""
    known = [name for name in documents.PACKAGES if name in PACKAGES.names()]
    added = [name for package in chosen for name in package["imports"] if not name.startswith("_")]
    return tuple(dict.fromkeys([*known, *added[:MAX_NAMED_PACKAGES]]))


def _about(context: object, codings: Mapping[str, str]) -> str:
    """Sentences on the context's files; and from which coding its texts were decoded, where it was not UTF-8."""
    shown = ", ".join(f"{name} ({coding})" for name, coding in list(codings.items())[:20])
    decoded = f"Not UTF-8, decoded for you: {shown}{', ...' if len(codings) > 20 else ''}." if codings else ""
    return "\n".join(filter(None, [about(context), decoded]))


def _context(contexts: Sequence[tuple[str, str, Bytes | None]], session: int | None = None) -> object:
    return _bound(contexts, session)[0]


def _bound(
    contexts: Sequence[tuple[str, str, Bytes | None]], session: int | None = None
) -> tuple[object, dict[str, str]]:
    """One value as itself, several files as a dict of name -> text or path; and the codings that are not UTF-8."""
    codings: dict[str, str] = {}
    parts = [(name, kind, data) for name, kind, data in contexts if kind != "mounted"]
    if not parts:
        return None, codings
    if len(parts) == 1:
        name, kind, data = parts[0]
        if kind != "file":
            return _decode(kind, data), codings
        return _file(_folder(session), name, protocol.MAX_TEXT_FILE_BYTES, codings)[0], codings
    return _files([name for name, _, _ in parts], _folder(session), codings), codings


def _fingerprints(contexts: Sequence[tuple[str, str, Bytes | None]], context: Any) -> tuple[Mapping[str, Json], ...]:
    """One for each value by its own name, so that the one that changed can be named; of very many, one for all."""
    names = [name for name, kind, _ in contexts if kind != "mounted"]
    if len(names) == 1:
        return (fingerprint(context, name=names[0]),)
    if len(names) > MAX_NAMED_FILES:
        return (fingerprint(context, name=f"{len(names)} files"),)
    return tuple(fingerprint(context[name], name=name, among=len(names)) for name in names)


def _decode(kind: str, data: Bytes | None) -> object:
    raw = data.to_bytes() if data is not None else b""
    if kind == "bytes":
        return raw
    if kind == "pickle":
        return pickle.loads(raw)
    text = raw.decode("utf-8", "surrogatepass")
    return json.loads(text) if kind == "json" else text


def _files(names: Sequence[str], folder: Path, codings: dict[str, str]) -> dict[str, str | Path]:
    room = protocol.MAX_TEXT_FILE_BYTES if len(names) <= MAX_TEXT_FILES else -1
    files: dict[str, str | Path] = {}
    for name in names:
        files[name], used = _file(folder, name, room, codings)
        room -= used
    return files


def _file(folder: Path, name: str, room: int, codings: dict[str, str]) -> tuple[str | Path, int]:
    """The text of a mounted file and its bytes; its path and 0 when it is no text, unreadable, or there is no room."""
    path = folder / name
    size = path.stat().st_size
    if size > room:
        return path, 0
    try:
        with path.open("rb") as file:  # once: of thousands of small files, opening is the larger part of reading
            source = Source.begun(path, file.read(HEAD_BYTES))
            if kind_of(source) not in TEXTS:
                return path, 0
            data = source.head + file.read()
        text, coding = plain.decode(data)
    except (ReadError, OSError):
        return path, 0
    if coding != "utf-8":
        codings[name] = coding
    return text, size


def _in_bytes_of_files(evidence: Sequence[Evidence], codings: Mapping[str, str]) -> tuple[Evidence, ...]:
    """The evidence without positions in bytes where the file is not UTF-8."""
    return tuple(replace(item, byte_start=None, byte_end=None) if item.source in codings else item for item in evidence)


def _result_json(result: RunResult) -> str:
    usage = {model: asdict(used) for model, used in result.usage.items()}
    fields = {name: getattr(result, name) for name in ("answer", "iterations", "seconds", "stopped_by", "detail")}
    if len(result.answer) > MAX_ANSWER_CHARS:
        cut = f"The answer is cut: {MAX_ANSWER_CHARS:,} of {len(result.answer):,} characters are kept."
        fields |= {"answer": result.answer[:MAX_ANSWER_CHARS], "detail": f"{result.detail} {cut}".strip()}
    fault = None if result.fault is None else asdict(result.fault)
    value = result.value if result.value is None or len(result.value) <= MAX_ANSWER_CHARS else None
    evidence = [asdict(item) for item in result.evidence]
    return json.dumps({**fields, "usage": usage, "fault": fault, "value": value, "evidence": evidence})
