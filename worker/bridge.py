"""Bridge: the core's two seams, `Provider` and `emit`, bound to the worker's channel.

In: a job as JSON, its contexts as bytes or mounted files, and the functions of the host's line. Out: the result as
JSON, and on the way events and requests. It runs on CPython too, with any object that has the methods of `Line`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, cast

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
    Tool,
    answer,
    protocol,
)
from rlm_core.events import BlockFinished, BlockStarted, Output
from rlm_core.trajectory import to_json

CONTEXT_FOLDER = Path("/context")


class Bytes(Protocol):
    """A typed array of the host."""

    def to_bytes(self) -> bytes: ...


class Line(Protocol):
    """What worker.js hands over: the waiting end of the channel, the interrupt switch, and the way out for events.

    `request` and `next` return a state, or an awaitable of one where the worker cannot block.
    """

    def request(self, body: str) -> Any: ...
    def next(self) -> Any: ...
    def take(self) -> Bytes: ...
    def interruptible(self, on: bool) -> None: ...
    def emit(self, body: str) -> None: ...


def run(job: str, contexts: Sequence[tuple[str, str, Bytes | None]], line: Line) -> str:
    """Run `job` and return its `RunResult` as JSON."""
    outbox = Outbox(line)
    provider = BridgeProvider(line, outbox.flush)
    try:
        result = answer(_job(json.loads(job), _context(contexts)), provider=provider, emit=outbox.emit)
    except KeyboardInterrupt:  # between two blocks, where the core has no block to end
        result = RunResult("", 0, 0.0, stopped_by="cancelled", detail="The run was stopped.")
    line.interruptible(False)
    outbox.flush()
    return _result_json(result)


class BridgeProvider:
    """A `Provider` that asks the host, all calls in one request.

    Args:
        line: see `Line`.
        flush: sends the output that is still held back; called before each wait.
    """

    def __init__(self, line: Line, flush: Callable[[], None]) -> None:
        self._line = line
        self._flush = flush

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer `calls` in their order; a failed one is its `ProviderError`.

        Raises:
            ChannelError: the host shows no life.
            KeyboardInterrupt: the user pressed stop while this waited.
        """
        if not calls:
            return []
        self._flush()
        try:
            reply = self._ask(_request_body(calls))
        except ProviderError as fault:
            return [fault] * len(calls)
        return _outcomes(reply, len(calls))

    def _ask(self, body: str) -> bytearray:
        if len(body) > protocol.MAX_MESSAGE_CHARS:
            size = f"{len(body):,} of {protocol.MAX_MESSAGE_CHARS:,} characters"
            raise ProviderError(
                f"request too large: {size} as JSON. Send shorter prompts, or fewer at once.", status=413
            )
        reply = bytearray()
        state = _settled(self._line.request(body))
        while state == protocol.CHUNK:
            reply += self._line.take().to_bytes()
            state = _settled(self._line.next())
        if state == protocol.INTERRUPTED:
            raise KeyboardInterrupt
        if state == protocol.TIMED_OUT:
            seconds = protocol.SILENCE_MS // 1_000
            raise ChannelError(f"the page gave no sign of life for {seconds} s. Keep its tab open, and run again.")
        last = self._line.take().to_bytes()
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
        """The held output as one event: a block's end sends what is held, so that all of it is of one block."""
        held, self._held, self._held_chars = self._held, [], 0
        if not held:
            return []
        text = "".join(event.text for event in held)
        return [Output(iteration=held[0].iteration, block=held[0].block, text=text)]

    def _send(self, events: Sequence[Event]) -> None:
        self._line.emit(f"[{','.join(to_json(event) for event in events)}]")


def _settled(value: Any) -> int:
    """`value`, or what it becomes: without shared memory the line hands out promises, and the stack is switched."""
    if isinstance(value, int):
        return value
    from pyodide.ffi import run_sync  # type: ignore[import-not-found]

    return cast(int, run_sync(value))


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
    usage = cast(Mapping[str, int], frame.meta["usage"])
    return Reply(frame.text, str(frame.meta["model"]), ModelUsage(**usage))


def _error(fields: Mapping[str, Any]) -> ProviderError:
    wire = protocol.WireError(**fields)
    message = wire.detail or wire.title
    return ProviderError(message, retryable=wire.retryable, status=wire.status, upstream=wire.upstream)


def _job(fields: dict[str, Any], context: object) -> Job:
    return Job(
        question=fields["question"],
        context=context,
        model=fields["model"],
        sub_model=fields["sub_model"],
        limits=Limits(**fields["limits"]),
        system_prompt=fields["system_prompt"],
        tools=tuple(Tool(tool["name"], tool["value"], tool["description"]) for tool in fields["tools"]),
    )


def _context(contexts: Sequence[tuple[str, str, Bytes | None]]) -> object:
    """One value as itself, several files as a dict of name -> text or path."""
    parts = [(name, kind, data) for name, kind, data in contexts]
    if not parts:
        return None
    if len(parts) == 1:
        name, kind, data = parts[0]
        return _file(name, protocol.MAX_TEXT_FILE_BYTES)[0] if kind == "file" else _decode(kind, data)
    return _files([name for name, _, _ in parts])


def _decode(kind: str, data: Bytes | None) -> object:
    raw = data.to_bytes() if data is not None else b""
    if kind == "bytes":
        return raw
    text = raw.decode()
    return json.loads(text) if kind == "json" else text


def _files(names: Sequence[str]) -> dict[str, str | Path]:
    room = protocol.MAX_TEXT_FILE_BYTES
    files: dict[str, str | Path] = {}
    for name in names:
        files[name], used = _file(name, room)
        room -= used
    return files


def _file(name: str, room: int) -> tuple[str | Path, int]:
    """The text of a mounted file and its bytes; its path and 0 when it is no text, unreadable, or there is no room."""
    path = CONTEXT_FOLDER / name
    size = path.stat().st_size
    if size > room:
        return path, 0
    try:
        return path.read_bytes().decode(), size
    except (UnicodeDecodeError, OSError):
        return path, 0


def _result_json(result: RunResult) -> str:
    usage = {model: asdict(used) for model, used in result.usage.items()}
    fields = {name: getattr(result, name) for name in ("answer", "iterations", "seconds", "stopped_by", "detail")}
    return json.dumps({**fields, "usage": usage})
