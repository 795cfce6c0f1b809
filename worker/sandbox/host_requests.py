"""Host requests: the core's seam `Provider`, bound to the worker's channel.

In: model calls, child runs, calls of the caller's functions, packages. Out: their outcomes; an error of the host as the
exception that the core knows. It runs on CPython too, with any object that has the methods of `Line`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from health import check_health
from host_line import Line, interrupted, settled, to_host

from rlm_core import ChannelError, ModelCall, ModelUsage, ProtocolError, ProviderError, Reply, ToolError, protocol
from rlm_core.images import MAX_IMAGES_BYTES
from rlm_core.provider import CallsOf
from rlm_core.types import Child, Image, Json, Message

if TYPE_CHECKING:
    from rlm_core.overlap import Ahead

_json = json.JSONEncoder().encode
MAX_CALLS = 10_000
"""Prompts of the largest batch; the host refuses more."""
LONG_TEXT_CHARS = 1 << 12
"""Characters of a prompt from which on it goes beside its request."""
MAX_ANSWER_CHARS = 2 << 20
"""Characters of the longest answer that the page is sent; as JSON they may be six times as many."""


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
        self._request, self._next = line.request, line.next  # each look-up makes a new proxy
        self._take, self._text = line.take, line.text
        self._flush = flush
        self._sent: tuple[Message, ...] = ()
        self._make_reader: Callable[[], Ahead] | None = None
        self._reader: Ahead | None = None

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
            check_health(self._line)
        data, positions = _beside(calls)
        if (size := sum(map(len, data))) > MAX_IMAGES_BYTES:
            message = f"the images of this request have {size:,} bytes; {MAX_IMAGES_BYTES:,} are allowed. Ask in parts."
            return [ProviderError(message, type="request-too-large", status=413)] * len(calls)
        try:
            reply = self._ask_model(calls, positions, data)
        except ProviderError as fault:
            return [fault] * len(calls)
        return _outcomes(reply, len(calls))

    def _ask_model(
        self, calls: Sequence[ModelCall], positions: Mapping[bytes, int], data: Sequence[bytes]
    ) -> str | bytearray:
        """The frames of `calls`. A root call sends the messages that the last one did not have: the host has those."""
        if calls[0].kind != "root" or len(calls) > 1:
            return self._ask_calls(_request_body(calls, positions), data)
        messages = tuple(calls[0].messages)
        pairs = enumerate(zip(self._sent, messages, strict=False))
        same = min(len(self._sent), len(messages))
        kept = next((at for at, (sent, now) in pairs if sent != now), same)
        self._sent = ()  # of a request that fails it is not known how far it came
        reply = self._ask_calls(_request_body(calls, positions, kept), data)
        self._sent = messages
        return reply

    def _ask_calls(self, request: tuple[str, list[bytes]], data: Sequence[bytes]) -> str | bytearray:
        body, texts = request
        _check_size(len(body) + sum(map(len, texts)))
        return self._ask(body, [*data, *texts])

    def read_ahead(self, namespace: Mapping[str, Any], calls_of: CallsOf) -> None:
        """Read replies while they are written, where the host sends their pieces: with the option `overlap` it does."""

        def make() -> Ahead:
            from rlm_core.overlap import Ahead  # a run without the option has no use for it

            return Ahead(namespace, calls_of)

        self._make_reader = make

    def _read_piece(self) -> None:
        """Send the sub-calls ahead that a further piece of the reply shows."""
        piece = json.loads(self._take().to_bytes())
        if piece["at"] == 0 and self._reader is None and self._make_reader is not None:
            self._reader = self._make_reader()
        for calls in [] if self._reader is None else self._reader.read(piece["at"], piece["text"]):
            body, texts = _request_body(calls, {})
            self._line.ahead(body, *map(to_host, texts))

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
            before = self._wait(json.dumps({"op": "package", "name": name}))
            return bytes(before + self._take().to_bytes())
        except ProviderError as fault:
            raise ImportError(f"the package {name} cannot be loaded: {fault}") from None

    def differences(self, value: Json) -> list[str]:
        """How `value` differs from the schema of the run; the page applies it."""
        text = json.dumps(value, allow_nan=False)
        if len(text) > MAX_ANSWER_CHARS:
            return [f"it has {len(text):,} characters as JSON, and {MAX_ANSWER_CHARS:,} are the most"]
        return [str(sentence) for sentence in json.loads(self._ask(json.dumps({"op": "shape", "value": text})))]

    def pause(self, seconds: float) -> None:
        """Wait, unless the host interrupts: then raises as `interrupted` does."""
        self._flush()
        if settled(self._line.pause(seconds * 1_000)) == protocol.INTERRUPTED:
            interrupted(self._line, self.block_seconds)

    def _ask(self, body: str, data: Sequence[bytes] = ()) -> str | bytearray:
        """The reply as text, or as the bytes of that text where it came in several chunks or is no UTF-8."""
        before = self._wait(body, data)
        if not before and (text := self._text()) is not None:
            return text
        before += self._take().to_bytes()
        return before

    def _wait(self, body: str, data: Sequence[bytes] = ()) -> bytearray:
        """The bytes of all chunks of the reply but the last, which is there to be taken."""
        _check_size(len(body))
        before = bytearray()
        self._reader = None
        state = settled(self._request(body, *map(to_host, data)))
        while state != protocol.LAST:
            if state == protocol.CHUNK:
                before += self._take().to_bytes()
            elif state == protocol.PIECE:
                self._read_piece()
            else:
                self._fail(state)
            state = settled(self._next())
        return before

    def _fail(self, state: int) -> NoReturn:
        """Raise what a `state` without a reply stands for."""
        if state == protocol.ERROR:
            raise _error(json.loads(self._take().to_bytes()))
        if state == protocol.TIMED_OUT:
            seconds = protocol.HOST_IDLE_TIMEOUT_MS // 1_000
            raise ChannelError(f"the page gave no sign of life for {seconds} s. Keep its tab open, and run again.")
        interrupted(self._line, self.block_seconds)


def _check_size(chars: int) -> None:
    if chars > protocol.MAX_MESSAGE_CHARS:
        size = f"{chars:,} of {protocol.MAX_MESSAGE_CHARS:,} characters"
        message = f"request too large: {size} as JSON. Send shorter prompts, or fewer at once."
        raise ProviderError(message, type="request-too-large", status=413)


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


def _beside(calls: Sequence[ModelCall]) -> tuple[list[bytes], Mapping[bytes, int]]:
    """The images of `calls`, each once, and the positions that they have."""
    positions: dict[bytes, int] = {}
    for call in calls:
        for image in call.images:
            positions.setdefault(image.data, len(positions))
    return list(positions), positions


def _request_body(calls: Sequence[ModelCall], positions: Mapping[bytes, int], kept: int = 0) -> tuple[str, list[bytes]]:
    """The request as JSON, without the first `kept` messages of each call, which the host has; and its long texts.

    Those go beside it: worker/wire/texts_beside.js puts them in place.
    """
    texts: list[bytes] = []
    wanted = ", ".join([_call_body(call, positions, kept, texts) for call in calls])
    before = f'"kept": {kept}, ' if kept else ""
    beside = f', "texts": {len(texts)}' if texts else ""
    return f'{{"op": "complete", "kind": "{calls[0].kind}", {before}"calls": [{wanted}]{beside}}}', texts


def _call_body(call: ModelCall, positions: Mapping[bytes, int], kept: int, texts: list[bytes]) -> str:
    """One call as JSON, joined by hand: dicts that are encoded cost four times as much of a short call."""
    model = "null" if call.model is None else _json(call.model)
    turns = call.messages[kept:] if kept else call.messages
    messages = ", ".join([f'{{"role": "{turn.role}", "content": {_content(turn.content, texts)}}}' for turn in turns])
    schema = "" if call.schema is None else f', "schema": {_json(call.schema)}'
    images = f', "images": {_json([_requested(image, positions) for image in call.images])}' if call.images else ""
    return f'{{"model": {model}, "messages": [{messages}]{schema}{images}}}'


def _content(text: str, texts: list[bytes]) -> str:
    """The text as JSON, or `null` where it is long, and in `texts` then; one that UTF-8 cannot hold is never there."""
    if len(text) < LONG_TEXT_CHARS:
        return _json(text)
    try:
        texts.append(text.encode())
    except UnicodeEncodeError:
        return _json(text)
    return "null"


def _requested(image: Image, positions: Mapping[bytes, int]) -> dict[str, Json]:
    return {"source": image.source, "page": image.page, "data": positions[image.data]}


def _outcomes(reply: str | bytearray, count: int) -> list[Reply | ProviderError]:
    outcomes: dict[int, Reply | ProviderError] = {}
    for frame in protocol.decode_frames(reply):
        if not 0 <= frame.index < count or frame.index in outcomes:
            raise ProtocolError(f"frame {frame.index} of a request of {count} calls is out of range or came twice.")
        outcomes[frame.index] = _error(frame.meta) if frame.status == protocol.FRAME_ERROR else _reply(frame)
    if len(outcomes) != count:
        raise ProtocolError(f"the reply holds {len(outcomes)} frames for {count} calls.")
    return [outcomes[index] for index in range(count)]


def _reply(frame: protocol.Frame) -> Reply:
    meta: Mapping[str, Any] = frame.meta
    return Reply(frame.text, meta["model"], ModelUsage(**meta["usage"]), meta.get("finish_reason"))


def _error(fields: Mapping[str, Any]) -> ProviderError:
    wire = protocol.WireError(**fields)
    message = wire.detail or wire.title
    return ProviderError(message, type=wire.type, retryable=wire.retryable, status=wire.status, upstream=wire.upstream)
